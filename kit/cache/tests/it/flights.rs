//! One load for many, whatever becomes of it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use pando_cache::{LoadError, Loaded, Source};
use pando_resilience::Call;
use tokio::sync::Notify;

use crate::{Alone, Count, call, get};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_misses_are_one_load() {
    let alone = Alone::new().await;
    let loads = Count::default();
    let reads = (0..1_000).map(|_| {
        let (cache, loads) = (alone.cache.clone(), loads.clone());
        pando_telemetry::spawn("test.read", async move {
            let load = async move |_: Call| {
                loads.inc();
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(Some(Loaded::new(1, "x")))
            };
            cache.get_or_load(&call(), b"a", None, load).await.unwrap().unwrap().version()
        })
    });
    let versions = join_all(reads.collect::<Vec<_>>()).await;
    assert!(versions.into_iter().all(|version| version.unwrap() == 1));
    assert_eq!(loads.get(), 1);
}

#[tokio::test]
async fn a_slow_load_never_puts_an_old_value_back() {
    let alone = Alone::new().await;
    let (cache, gate) = (alone.cache.clone(), Arc::new(Notify::new()));
    let read = Arc::clone(&gate);
    let slow = pando_telemetry::spawn("test.slow", async move {
        let load = async move |_: Call| {
            read.notified().await;
            Ok::<_, Infallible>(Some(Loaded::new(1, "old")))
        };
        cache.get_or_load(&call(), b"a", None, load).await.unwrap().unwrap().version()
    });
    tokio::task::yield_now().await;
    alone.cache.invalidate(b"a", 2, None).await;
    // Whoever asks after the invalidation does not join the load from before it.
    assert_eq!(get(&alone.cache, b"a", 2).await.unwrap().version(), 2);
    gate.notify_one();
    assert_eq!(slow.await.unwrap(), 1);
    assert_eq!(alone.cache.peek(b"a", None).unwrap().version(), 2);
    alone.cache.invalidate(b"a", 3, None).await;
    assert!(alone.cache.peek(b"a", None).is_none());
}

#[tokio::test]
async fn a_caller_with_a_later_position_does_not_share_an_earlier_load() {
    let alone = Alone::new().await;
    let gate = Arc::new(Notify::new());
    let (cache, read) = (alone.cache.clone(), Arc::clone(&gate));
    let slow = pando_telemetry::spawn("test.slow", async move {
        let load = async move |_: Call| {
            read.notified().await;
            Ok::<_, Infallible>(Some(Loaded::new(1, "old")))
        };
        cache.get_or_load(&call(), b"a", None, load).await.unwrap().unwrap().version()
    });
    tokio::task::yield_now().await;
    let found = crate::get_at(&alone.cache, b"a", 2, Some(5)).await.unwrap();
    assert_eq!((found.version(), found.source), (2, Source::Origin));
    gate.notify_one();
    slow.await.unwrap();
    assert_eq!(alone.cache.peek(b"a", None).unwrap().version(), 2);
}

#[tokio::test]
async fn a_caller_who_leaves_strands_nobody() {
    let alone = Alone::new().await;
    let (gate, loads) = (Arc::new(Notify::new()), Count::default());
    let read = |cache: pando_cache::Cache| {
        let (gate, loads) = (Arc::clone(&gate), loads.clone());
        pando_telemetry::spawn("test.read", async move {
            let load = async move |_: Call| {
                loads.inc();
                gate.notified().await;
                Ok::<_, Infallible>(Some(Loaded::new(1, "x")))
            };
            cache.get_or_load(&call(), b"a", None, load).await.unwrap().unwrap().version()
        })
    };
    let leader = read(alone.cache.clone());
    tokio::task::yield_now().await;
    let waiter = read(alone.cache.clone());
    tokio::task::yield_now().await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    gate.notify_one();
    assert_eq!(waiter.await.unwrap(), 1);
    assert_eq!(loads.get(), 1, "the load was taken over, not begun anew");
}

#[tokio::test]
async fn a_load_that_panics_strands_nobody() {
    let alone = Alone::new().await;
    let gate = Arc::new(Notify::new());
    let read = |cache: pando_cache::Cache| {
        let gate = Arc::clone(&gate);
        pando_telemetry::spawn("test.read", async move {
            let load = async move |_: Call| -> Result<Option<Loaded>, Infallible> {
                gate.notified().await;
                panic!("a load that panics, on purpose");
            };
            cache.get_or_load(&call(), b"a", None, load).await.map(|_| ())
        })
    };
    let leader = read(alone.cache.clone());
    tokio::task::yield_now().await;
    let waiter = read(alone.cache.clone());
    tokio::task::yield_now().await;
    gate.notify_one();
    assert!(leader.await.unwrap_err().is_panic());
    assert!(matches!(waiter.await.unwrap(), Err(LoadError::Panicked)));
    assert_eq!(get(&alone.cache, b"a", 1).await.unwrap().version(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_no_time_is_told_so_and_the_load_is_bounded() {
    let alone = Alone::new().await;
    let stuck = async |_: Call| std::future::pending::<Result<Option<Loaded>, Infallible>>().await;
    let brief = Call::internal("test", Duration::from_millis(20));
    let refused = alone.cache.get_or_load(&brief, b"a", None, stuck).await;
    assert!(matches!(refused, Err(LoadError::DeadlineExceeded)));
    let refused = alone.cache.get_or_load(&call(), b"a", None, stuck).await;
    assert!(matches!(refused, Err(LoadError::LoadTimeout)));
}

#[tokio::test(start_paused = true)]
async fn a_stale_entry_stands_in_for_a_slow_load_which_goes_on_behind() {
    let alone = Alone::new().await;
    get(&alone.cache, b"a", 1).await;
    alone.clock.advance(Duration::from_secs(60));
    let slow = async |_: Call| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, Infallible>(Some(Loaded::new(2, "new")))
    };
    let started = tokio::time::Instant::now();
    let found = alone.cache.get_or_load(&call(), b"a", None, slow).await.unwrap().unwrap();
    assert_eq!((found.source, found.version()), (Source::Stale, 1));
    assert_eq!(started.elapsed().as_millis(), 100);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(alone.cache.peek(b"a", None).unwrap().version(), 2);
}

#[tokio::test]
async fn many_keys_are_one_load_for_what_is_missing_in_their_order() {
    let alone = Alone::new().await;
    get(&alone.cache, b"b", 7).await;
    let keys: [&[u8]; 4] = [b"a", b"b", b"c", b"a"];
    let load = async |_: Call, places: Vec<usize>| {
        assert_eq!(places, [0, 2]);
        Ok::<_, Infallible>(vec![Some(Loaded::new(1, "a")), None])
    };
    let found = alone.cache.get_many(&call(), &keys, None, load).await.unwrap();
    let versions: Vec<_> =
        found.iter().map(|found| found.as_ref().map(pando_cache::Found::version)).collect();
    assert_eq!(versions, [Some(1), Some(7), None, Some(1)]);
    let nothing = async |_: Call, places: Vec<usize>| panic!("{places:?} are here") as Result<_, Infallible>;
    alone.cache.get_many(&call(), &keys, None, nothing).await.unwrap();
}

#[tokio::test]
async fn a_load_from_before_a_tag_or_everything_was_invalidated_is_not_joined_after_it() {
    for clear in [false, true] {
        let alone = Alone::new().await;
        let gate = Arc::new(Notify::new());
        let tagged = |version| Loaded { tags: vec!["pages".into()], ..Loaded::new(version, "x") };
        let (cache, opened) = (alone.cache.clone(), Arc::clone(&gate));
        let old = tagged(1);
        let slow = pando_telemetry::spawn("test.slow", async move {
            let load = async move |_: Call| {
                opened.notified().await;
                Ok::<_, Infallible>(Some(old))
            };
            cache.get_or_load(&call(), b"page", None, load).await.unwrap().unwrap().version()
        });
        tokio::task::yield_now().await;
        match clear {
            true => alone.cache.clear().await,
            false => alone.cache.invalidate_tag("pages").await,
        }
        let new = tagged(2);
        let load = async move |_: Call| Ok::<_, Infallible>(Some(new));
        let caller = call();
        let asked = alone.cache.get_or_load(&caller, b"page", None, load);
        let found = tokio::time::timeout(Duration::from_secs(10), asked).await.expect("it loads for itself");
        assert_eq!(found.unwrap().unwrap().version(), 2, "clear: {clear}");
        gate.notify_one();
        assert_eq!(slow.await.unwrap(), 1);
        assert_eq!(alone.cache.peek(b"page", None).unwrap().version(), 2);
    }
}
