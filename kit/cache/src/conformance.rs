//! The promises of a cache as one test suite, which passes with Redis and without, under every policy.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pando_resilience::Call;
use tokio::sync::Notify;

use crate::{Cache, Found, LoadError, Loaded};

/// Runs the whole suite on a cache that has no other user.
///
/// # Panics
/// Where the cache breaks a promise.
pub async fn exercise(cache: &Cache) {
    what_was_loaded_is_found(cache).await;
    concurrent_misses_are_one_load(cache).await;
    a_slow_load_puts_nothing_old_back(cache).await;
    a_write_is_seen_by_whoever_brings_its_position(cache).await;
    what_does_not_exist_is_remembered_until_it_does(cache).await;
    errors_reach_whoever_asked(cache).await;
    many_keys_come_in_their_order(cache).await;
    tags_and_clearing_reach_what_was_before(cache).await;
}

async fn get(cache: &Cache, key: &[u8], version: i64, at_least: Option<u64>) -> Found {
    let value = Loaded::new(version, version.to_string());
    let load = async move |_: Call| Ok::<_, Infallible>(Some(value));
    let found = cache.get_or_load(&call(), key, at_least, load).await;
    found.ok().flatten().expect("the load answers")
}

async fn what_was_loaded_is_found(cache: &Cache) {
    assert_eq!(get(cache, b"loaded", 3, None).await.version(), 3);
    let found = get(cache, b"loaded", 3, None).await;
    assert_eq!((found.version(), found.bytes().as_ref()), (3, b"3".as_slice()));
}

async fn concurrent_misses_are_one_load(cache: &Cache) {
    let (loads, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let reads = (0..100).map(|_| {
        let (loads, opened) = (Arc::clone(&loads), Arc::clone(&gate));
        async move {
            let load = async move |_: Call| {
                loads.fetch_add(1, Ordering::SeqCst);
                opened.notified().await;
                Ok::<_, Infallible>(Some(Loaded::new(1, "x")))
            };
            cache.get_or_load(&call(), b"flight", None, load).await
        }
    });
    let (reads, ()) = tokio::join!(join_all(reads), async { gate.notify_one() });
    assert!(reads.iter().all(|read| matches!(read, Ok(Some(found)) if found.version() == 1)));
    assert_eq!(loads.load(Ordering::SeqCst), 1, "a hundred misses, one load");
}

async fn a_slow_load_puts_nothing_old_back(cache: &Cache) {
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (started, opened) = (Arc::clone(&begun), Arc::clone(&gate));
    let slow = async {
        let load = async move |_: Call| {
            started.notify_one();
            opened.notified().await;
            Ok::<_, Infallible>(Some(Loaded::new(1, "old")))
        };
        let _ = cache.get_or_load(&call(), b"fence", None, load).await;
    };
    let write = async {
        begun.notified().await;
        cache.invalidate(b"fence", 2, None).await;
        gate.notify_one();
    };
    tokio::join!(slow, write);
    assert_eq!(get(cache, b"fence", 2, None).await.version(), 2);
    // And a load that begins later, but reads an older row, is served and not kept.
    cache.invalidate(b"fence", 3, None).await;
    get(cache, b"fence", 1, None).await;
    assert_eq!(get(cache, b"fence", 3, None).await.version(), 3);
}

async fn a_write_is_seen_by_whoever_brings_its_position(cache: &Cache) {
    get(cache, b"position", 1, None).await;
    let ticket = cache.ticket(b"position");
    cache.put(ticket, b"position", Loaded::new(2, "2"), 1_000).await;
    let found = get(cache, b"position", 2, Some(1_000)).await;
    assert_eq!((found.version(), found.position() >= 1_000), (2, true));
    let found = get(cache, b"position", 3, Some(1_001)).await;
    assert_eq!((found.version(), found.position() >= 1_001), (3, true));
}

async fn what_does_not_exist_is_remembered_until_it_does(cache: &Cache) {
    let nothing = async |_: Call| Ok::<Option<Loaded>, Infallible>(None);
    assert!(matches!(cache.get_or_load(&call(), b"nothing", None, nothing).await, Ok(None)));
    cache.invalidate(b"nothing", 1, None).await;
    assert_eq!(get(cache, b"nothing", 1, None).await.version(), 1);
}

async fn errors_reach_whoever_asked(cache: &Cache) {
    let failing = async |_: Call| Err::<Option<Loaded>, _>("no luck");
    let refused = cache.get_or_load(&call(), b"failing", None, failing).await;
    assert!(matches!(refused, Err(LoadError::Load(error)) if *error == "no luck"));
    assert_eq!(get(cache, b"failing", 1, None).await.version(), 1);
}

async fn many_keys_come_in_their_order(cache: &Cache) {
    get(cache, b"many2", 2, None).await;
    let keys: [&[u8]; 4] = [b"many1", b"many2", b"many3", b"many1"];
    let load = async |_: Call, places: Vec<usize>| {
        // A key that another tier is still being filled with may be asked for again.
        let value =
            |place: usize| [Some(Loaded::new(1, "1")), Some(Loaded::new(2, "2")), None][place].clone();
        Ok::<_, Infallible>(places.into_iter().map(value).collect())
    };
    let found = cache.get_many(&call(), &keys, None, load).await.expect("the load answers");
    let versions: Vec<_> = found.iter().map(|found| found.as_ref().map(Found::version)).collect();
    assert_eq!(versions, [Some(1), Some(2), None, Some(1)]);
}

async fn tags_and_clearing_reach_what_was_before(cache: &Cache) {
    let tagged = async |version| {
        let value = Loaded { tags: vec!["colour".into()], ..Loaded::new(version, "x") };
        let load = async move |_: Call| Ok::<_, Infallible>(Some(value));
        cache.get_or_load(&call(), b"tagged", None, load).await.ok().flatten().expect("it loads").version()
    };
    assert_eq!(tagged(1).await, 1);
    cache.invalidate_tag("colour").await;
    assert_eq!(tagged(2).await, 2);
    cache.clear().await;
    assert_eq!(tagged(3).await, 3);
    cache.expire_all().await;
    assert_eq!(tagged(4).await, 4);
}

fn call() -> Call {
    Call::internal("conformance", Duration::from_secs(20))
}
