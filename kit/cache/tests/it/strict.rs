//! The strict policies: never one entry too many.

use std::convert::Infallible;

use futures_util::future::join_all;
use futures_util::stream;
use pando_cache::{CacheOptions, Loaded, Policy};

use crate::{Alone, get, plain};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_are_never_eleven_under_a_hundred_concurrent_creates() {
    let options = CacheOptions { policy: Policy::Fifo, entries_max: 10, ..plain() };
    let alone = Alone::with(options).await;
    let creates = (0..100_u32).map(|number| {
        let cache = alone.cache.clone();
        pando_telemetry::spawn("test.create", async move {
            let key = number.to_be_bytes();
            let ticket = cache.ticket(&key);
            assert!(cache.put(ticket, &key, Loaded::new(1, "x"), 0).await);
            assert!(cache.report().entries <= 10);
        })
    });
    for created in join_all(creates.collect::<Vec<_>>()).await {
        created.unwrap();
    }
    let text = alone.metrics.render();
    assert!(text.contains(r#"cache_size{cache="things",tier="l1"} 10"#), "{text}");
    assert!(text.contains(r#"cache_evictions_total{cache="things",cause="size",tier="l1"} 90"#), "{text}");
}

#[tokio::test]
async fn first_in_is_first_out_and_least_recently_used_is_what_it_says() {
    for (policy, gone) in [(Policy::Fifo, b"a"), (Policy::Lru, b"b")] {
        let alone = Alone::with(CacheOptions { policy, entries_max: 3, ..plain() }).await;
        for key in [b"a", b"b", b"c"] {
            get(&alone.cache, key, 1).await;
        }
        assert!(alone.cache.peek(b"a", None).is_some());
        get(&alone.cache, b"d", 1).await;
        for key in [b"a", b"b", b"c", b"d"] {
            assert_eq!(alone.cache.peek(key, None).is_none(), key == gone, "{policy:?}");
        }
    }
}

#[tokio::test]
async fn a_warm_up_fills_reports_every_error_and_undoes_nothing() {
    let alone = Alone::new().await;
    let ticket = alone.cache.ticket(b"b");
    alone.cache.put(ticket, b"b", Loaded::new(2, "new"), 5).await;
    let values = stream::iter([
        Ok((b"a".to_vec(), Loaded::new(1, "a"))),
        Err("broken"),
        Ok((b"b".to_vec(), Loaded::new(1, "old"))),
    ]);
    let warmed = alone.cache.warm(values, 2).await;
    assert_eq!((warmed.filled, warmed.refused, warmed.errors), (1, 1, vec!["broken"]));
    assert_eq!(alone.cache.peek(b"b", None).unwrap().version(), 2);
    let empty = alone.cache.warm(stream::iter(Vec::<Result<_, Infallible>>::new()), 0).await;
    assert_eq!(empty.filled, 0);
}
