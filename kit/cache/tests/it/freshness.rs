//! How long things are believed, and what ends it.

use std::convert::Infallible;
use std::time::Duration;

use pando_cache::{CacheOptions, LoadError, Loaded, Source};
use pando_resilience::Call;

use crate::{Alone, Count, call, get, get_at, plain};

#[tokio::test]
async fn a_hit_is_served_from_here_until_its_ttl_is_over() {
    let alone = Alone::new().await;
    let cache = &alone.cache;
    assert!(cache.peek(b"a", None).is_none());
    assert_eq!(get(cache, b"a", 1).await.unwrap().source, Source::Origin);
    alone.clock.advance(Duration::from_millis(29_999));
    let found = cache.peek(b"a", None).unwrap();
    assert_eq!((found.version(), found.source, found.bytes().as_ref()), (1, Source::L1, b"v1".as_slice()));
    assert_eq!(found.age, Duration::from_millis(29_999));
    alone.clock.advance(Duration::from_millis(1));
    assert!(cache.peek(b"a", None).is_none());
    let text = alone.metrics.render();
    assert!(text.contains(r#"cache_hits_total{cache="things",tier="l1"} 1"#), "{text}");
    assert!(text.contains(r#"cache_misses_total{cache="things",tier="l1"} 1"#), "{text}");
    assert!(text.contains(r#"cache_size{cache="things",tier="l1"} 1"#), "{text}");
}

#[tokio::test]
async fn that_there_is_no_such_thing_is_remembered_too() {
    let alone = Alone::new().await;
    let loads = Count::default();
    for _ in 0..3 {
        let counted = loads.clone();
        let load = async move |_: Call| {
            counted.inc();
            Ok::<_, Infallible>(None)
        };
        assert!(alone.cache.get_or_load(&call(), b"a", None, load).await.unwrap().is_none());
    }
    assert_eq!(loads.get(), 1);
    alone.cache.invalidate(b"a", 1, Some(7)).await;
    assert_eq!(get(&alone.cache, b"a", 1).await.unwrap().source, Source::Origin);
}

#[tokio::test]
async fn a_caller_who_brings_a_position_never_sees_anything_older() {
    let alone = Alone::new().await;
    let cache = &alone.cache;
    cache.observe(10);
    get(cache, b"a", 1).await;
    assert!(cache.peek(b"a", Some(10)).is_some());
    assert!(cache.peek(b"a", Some(11)).is_none());
    let found = get_at(cache, b"a", 2, Some(11)).await.unwrap();
    assert_eq!((found.version(), found.position()), (2, 11));
    assert!(cache.peek(b"a", Some(11)).is_some());
}

#[tokio::test]
async fn a_write_fills_and_an_older_write_does_not_undo_it() {
    let alone = Alone::new().await;
    let cache = &alone.cache;
    let (first, second) = (cache.ticket(b"a"), cache.ticket(b"a"));
    assert!(cache.put(second, b"a", Loaded::new(2, "v2"), 20).await);
    assert!(!cache.put(first, b"a", Loaded::new(1, "v1"), 10).await);
    let found = cache.peek(b"a", Some(20)).unwrap();
    assert_eq!(found.version(), 2);
    let late = cache.ticket(b"a");
    cache.invalidate(b"a", 4, Some(40)).await;
    assert!(!cache.put(late, b"a", Loaded::new(3, "v3"), 30).await);
    assert!(cache.peek(b"a", None).is_none());
}

#[tokio::test]
async fn tags_clearing_and_expiring_reach_what_was_loaded_before_and_nothing_after() {
    let alone = Alone::new().await;
    let cache = &alone.cache;
    let fill = async |key: &'static [u8], tag: &str| {
        let value = Loaded { tags: vec![tag.into()], ..Loaded::new(1, "x") };
        let load = async move |_: Call| Ok::<_, Infallible>(Some(value));
        cache.get_or_load(&call(), key, None, load).await.unwrap().unwrap().source
    };
    fill(b"a", "red").await;
    fill(b"b", "blue").await;
    cache.invalidate_tag("red").await;
    assert!(cache.peek(b"a", None).is_none() && cache.peek(b"b", None).is_some());
    assert_eq!(fill(b"a", "red").await, Source::Origin);
    assert!(cache.peek(b"a", None).is_some());
    cache.expire_all().await;
    assert!(cache.peek(b"a", None).is_none());
    let failing = async |_: Call| Err::<Option<Loaded>, _>("down");
    let found = cache.get_or_load(&call(), b"a", None, failing).await.unwrap().unwrap();
    assert_eq!(found.source, Source::Stale);
    cache.clear().await;
    assert!(matches!(cache.get_or_load(&call(), b"a", None, failing).await, Err(LoadError::Load(_))));
    assert_eq!(cache.report().entries, 0);
}

#[tokio::test]
async fn a_stale_entry_stands_in_while_loads_fail_and_loads_are_not_hammered() {
    let alone = Alone::with(CacheOptions { stale_while_revalidate_ms: 0, ..plain() }).await;
    let cache = &alone.cache;
    get(cache, b"a", 1).await;
    alone.clock.advance(Duration::from_secs(31));
    let loads = Count::default();
    for _ in 0..5 {
        let counted = loads.clone();
        let failing = async move |_: Call| {
            counted.inc();
            Err::<Option<Loaded>, _>("down")
        };
        let found = cache.get_or_load(&call(), b"a", None, failing).await.unwrap().unwrap();
        assert_eq!((found.source, found.version()), (Source::Stale, 1));
    }
    while loads.get() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(loads.get(), 1);
    alone.clock.advance(Duration::from_secs(2));
    assert_eq!(get(cache, b"a", 2).await.unwrap().version(), 2);
    alone.clock.advance(Duration::from_secs(31 + 3_600));
    let failing = async |_: Call| Err::<Option<Loaded>, _>("down");
    let error = cache.get_or_load(&call(), b"a", None, failing).await.unwrap_err();
    assert!(matches!(error, LoadError::Load(cause) if *cause == "down"));
}

#[tokio::test]
async fn just_after_its_ttl_an_entry_is_served_and_refreshed_behind() {
    let alone = Alone::new().await;
    let cache = &alone.cache;
    get(cache, b"a", 1).await;
    alone.clock.advance(Duration::from_millis(30_500));
    assert_eq!(get(cache, b"a", 2).await.unwrap().source, Source::Stale);
    while cache.peek(b"a", None).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(cache.peek(b"a", None).unwrap().version(), 2);
}

#[tokio::test]
async fn the_loader_may_set_the_ttl() {
    let alone = Alone::new().await;
    let value = Loaded { ttl: Some(Duration::from_secs(1)), ..Loaded::new(1, "x") };
    let load = async move |_: Call| Ok::<_, Infallible>(Some(value));
    alone.cache.get_or_load(&call(), b"a", None, load).await.unwrap();
    alone.clock.advance(Duration::from_secs(1));
    assert!(alone.cache.peek(b"a", None).is_none());
}
