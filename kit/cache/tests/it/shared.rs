//! Several processes on one Redis.

use std::convert::Infallible;

use pando_cache::{CacheOptions, Loaded, Source};
use pando_resilience::Call;
use pando_servers::Redis;

use crate::{Process, call, get, get_at, plain, redis_at, until};

async fn two(options: CacheOptions) -> (Process, Process) {
    let redis = redis_at(&Redis::shared().url());
    (Process::on(&redis, options.clone()).await, Process::on(&redis, options).await)
}

/// Reads through `process` until it has found the value in Redis: filling goes on behind its caller.
async fn until_in_redis(process: &Process, key: &[u8]) {
    until("the value is in redis", async || {
        let nothing = async |_: Call| Err::<Option<Loaded>, _>("nobody asks the origin");
        process.cache.get_or_load(&call(), key, None, nothing).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_loaded_another_finds_with_what_is_left_of_its_ttl() {
    let options = CacheOptions { l2_ttl_ms: 20_000, ..plain() };
    let (one, two) = two(options).await;
    let body = "a value of some length ".repeat(20);
    let value = Loaded { tags: vec!["red".into()], ..Loaded::new(7, body.clone()) };
    let load = async move |_: Call| Ok::<_, Infallible>(Some(value));
    one.cache.observe(42);
    one.cache.get_or_load(&call(), b"a", None, load).await.unwrap();
    until("the other finds it", async || {
        let nothing = async |_: Call| Err::<Option<Loaded>, _>("nobody asks the origin");
        let found = two.cache.get_or_load(&call(), b"a", Some(42), nothing).await;
        found.is_ok_and(|found| {
            found.is_some_and(|found| found.source == Source::L2 && found.bytes() == body.as_bytes())
        })
    })
    .await;
    let held = two.cache.report_key(b"a").unwrap();
    assert_eq!((held.version, held.position, held.tags), (Some(7), 42, vec!["red".to_owned()]));
    assert!(held.fresh_ms <= 20_000 && held.fresh_ms > 10_000, "{}", held.fresh_ms);
    assert_eq!(two.count(r#"cache_hits_total{cache="things",tier="l2"}"#), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_invalidates_no_other_serves_any_more() {
    let (one, two) = two(plain()).await;
    for (key, tag) in [(b"a", "red"), (b"b", "blue")] {
        let value = Loaded { tags: vec![tag.into()], ..Loaded::new(1, "old") };
        let load = async move |_: Call| Ok::<_, Infallible>(Some(value));
        one.cache.get_or_load(&call(), key, None, load).await.unwrap();
        until_in_redis(&two, key).await;
    }
    one.cache.invalidate(b"a", 2, Some(10)).await;
    until("the key is gone", async || two.cache.peek(b"a", None).is_none()).await;
    assert_eq!(get(&two.cache, b"a", 2).await.unwrap().version(), 2);
    one.cache.invalidate_tag("blue").await;
    until("the tag is gone", async || two.cache.peek(b"b", None).is_none()).await;
    assert_eq!(get(&two.cache, b"b", 2).await.unwrap().source, Source::Origin);
    until_in_redis(&one, b"b").await;
    one.cache.clear().await;
    until("all is gone", async || two.cache.peek(b"b", None).is_none()).await;
    assert_eq!(get(&two.cache, b"b", 3).await.unwrap().source, Source::Origin);
    assert_eq!(one.count(r#"cache_bus_messages_total{cache="things",event="sent"}"#), 3);
    until("they were received", async || {
        two.count(r#"cache_bus_messages_total{cache="things",event="received"}"#) == 3
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_databases_of_one_redis_are_two_worlds() {
    let redis = redis_at(&Redis::shared().url());
    let one = Process::on(&redis, plain()).await;
    let elsewhere = pando_cache::RedisOptions { database: 1, ..redis };
    let (other, listener) = (Process::on(&elsewhere, plain()).await, Process::on(&elsewhere, plain()).await);
    get(&other.cache, b"a", 1).await;
    // A foreign log's position must not be believed either: a load would count as newer than it is.
    one.cache.invalidate(b"a", 2, Some(1_000)).await;
    other.cache.invalidate(b"b", 2, Some(10)).await;
    until("its own bus works", async || {
        listener.count(r#"cache_bus_messages_total{cache="things",event="received"}"#) == 1
    })
    .await;
    assert_eq!(other.cache.peek(b"a", None).unwrap().version(), 1);
    assert_eq!((other.cache.known_position(), listener.cache.known_position()), (10, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_every_process_learns_for_itself_is_told_to_nobody() {
    let (one, two) = two(plain()).await;
    for process in [&one, &two] {
        let tagged = Loaded { tags: vec!["blue".into()], ..Loaded::new(1, "x") };
        let load = async move |_: Call| Ok::<_, Infallible>(Some(tagged));
        process.cache.get_or_load(&call(), b"b", None, load).await.unwrap();
    }
    one.cache.catch_up_tag("blue");
    assert!(one.cache.peek(b"b", None).is_none(), "gone at once");
    // The next word of this process is its first.
    one.cache.invalidate(b"other", 2, Some(10)).await;
    assert_eq!(one.count(r#"cache_bus_messages_total{cache="things",event="sent"}"#), 1);
    until("it was received", async || {
        two.count(r#"cache_bus_messages_total{cache="things",event="received"}"#) == 1
    })
    .await;
    assert!(two.cache.peek(b"b", None).is_some(), "nobody told it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_load_of_one_process_never_puts_an_old_value_back_for_another() {
    let (one, two) = two(plain()).await;
    let started = std::sync::Arc::new(tokio::sync::Notify::new());
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let (cache, begun, opened) = (one.cache.clone(), started.clone(), gate.clone());
    let slow = pando_telemetry::spawn("test.slow", async move {
        let load = async move |_: Call| {
            begun.notify_one();
            opened.notified().await;
            Ok::<_, Infallible>(Some(Loaded::new(1, "old")))
        };
        cache.get_or_load(&call(), b"a", None, load).await.unwrap();
    });
    started.notified().await;
    let ticket = two.cache.ticket(b"a");
    assert!(two.cache.put(ticket, b"a", Loaded::new(2, "new"), 20).await);
    until("the write is heard of", async || {
        one.count(r#"cache_bus_messages_total{cache="things",event="received"}"#) == 1
    })
    .await;
    gate.notify_one();
    slow.await.unwrap();
    assert!(one.cache.peek(b"a", None).is_none(), "refused here");
    assert_eq!(
        get_at(&one.cache, b"a", 0, Some(20)).await.unwrap().version(),
        2,
        "and redis has the new one"
    );
    // A third one, that knows nothing, cannot put the old value into Redis either.
    assert_eq!(get(&two.cache, b"a", 0).await.unwrap().version(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_are_one_look_into_redis() {
    let redis = redis_at(&Redis::shared().url());
    let (one, two) = (Process::on(&redis, plain()).await, Process::on(&redis, plain()).await);
    let three = Process::on(&redis, plain()).await;
    for key in [b"a", b"c"] {
        get(&one.cache, key, 1).await;
        until_in_redis(&three, key).await;
    }
    let keys: [&[u8]; 3] = [b"a", b"b", b"c"];
    let load = async |_: Call, places: Vec<usize>| {
        assert_eq!(places, [1]);
        Ok::<_, Infallible>(vec![Some(Loaded::new(9, "b"))])
    };
    let found = two.cache.get_many(&call(), &keys, None, load).await.unwrap();
    let sources: Vec<_> = found.iter().map(|found| found.as_ref().unwrap().source).collect();
    assert_eq!(sources, [Source::L2, Source::Origin, Source::L2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_of_hits_is_compared_with_the_database() {
    let redis = redis_at(&Redis::shared().url());
    let process = Process::on(&redis, CacheOptions { staleness_sample_one_in: 1, ..plain() }).await;
    let changed_at = pando_clock::Clock::system().now().plus_micros(-3_000_000);
    process.cache.compare_with(move |_| async move { Some(pando_cache::Current { version: 2, changed_at }) });
    get(&process.cache, b"a", 1).await;
    assert!(process.cache.peek(b"a", None).is_some());
    until("it was compared", async || process.count(r#"cache_staleness_seconds_count{cache="things"}"#) == 1)
        .await;
    assert_eq!(process.count(r#"cache_staleness_seconds_bucket{cache="things",le="2.5"}"#), 0);
    assert_eq!(process.count(r#"cache_staleness_seconds_bucket{cache="things",le="5"}"#), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_caller_left_is_told_all_the_same() {
    let (one, two) = two(plain()).await;
    get(&one.cache, b"a", 1).await;
    until_in_redis(&two, b"a").await;
    // Polled once, and dropped: as when a client hangs up right after the commit.
    let told = one.cache.invalidate(b"a", 2, Some(7));
    let _ = futures_util::FutureExt::now_or_never(told);
    until("the other hears of it", async || two.cache.peek(b"a", None).is_none()).await;
    assert_eq!(get(&two.cache, b"a", 2).await.unwrap().source, Source::Origin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_first_tier_a_write_still_fills_the_second() {
    let (one, two) = two(CacheOptions { l1: false, ..plain() }).await;
    let ticket = one.cache.ticket(b"a");
    assert!(one.cache.put(ticket, b"a", Loaded::new(3, "x"), 7).await);
    assert!(one.cache.peek(b"a", None).is_none());
    let found = get_at(&two.cache, b"a", 0, Some(7)).await.unwrap();
    assert_eq!((found.source, found.version()), (Source::L2, 3));
}
