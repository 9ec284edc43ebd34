//! Redis gone, silent, slow, full, read-only, cut off: nobody fails, nobody hangs, nothing stale survives.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use pando_cache::{CacheOptions, LoadError, Loaded, Source, WhenL2Down};
use pando_resilience::Call;
use pando_servers::Redis;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use crate::{Process, call, get, hasty, plain, redis_at, until};

/// An L1 of no use: every read goes to Redis or the origin.
fn l2_only() -> CacheOptions {
    CacheOptions { l1: false, ..plain() }
}

async fn until_in_redis(process: &Process, key: &[u8]) {
    until("the value is in redis", async || {
        let nothing = async |_: Call| Err::<Option<Loaded>, _>("nobody asks the origin");
        process.cache.get_or_load(&call(), key, None, nothing).await.is_ok()
    })
    .await;
}

/// Loads it again and again, until it is kept.
async fn keep_in_redis(process: &Process, key: &[u8], version: i64) {
    until("redis keeps it", async || get(&process.cache, key, version).await.unwrap().source == Source::L2)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_killed_and_came_back_empty_is_used_again() {
    let server = Redis::start(&[]);
    let process = Process::on(&redis_at(&server.url()), l2_only()).await;
    get(&process.cache, b"a", 1).await;
    until_in_redis(&process, b"a").await;
    server.kill();
    for version in 2..200 {
        assert_eq!(get(&process.cache, b"a", version).await.unwrap().source, Source::Origin);
    }
    process.until_up(false).await;
    process.cache.invalidate(b"b", 2, Some(7)).await;
    assert_eq!(process.caches.health().unwrap().queued_invalidations, 1);
    server.resurrect();
    process.until_up(true).await;
    assert_eq!(process.caches.health().unwrap().queued_invalidations, 0);
    get(&process.cache, b"a", 200).await;
    until_in_redis(&process, b"a").await;
    let tombstones = server.ask("KEYS *:d:{:b}").unwrap();
    assert!(tombstones.starts_with("*1"), "the invalidation was replayed: {tombstones}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_redis_at_the_start_is_no_error() {
    let server = Redis::start(&[]);
    server.kill();
    let process = Process::opened(&redis_at(&server.url()), l2_only()).await;
    assert_eq!(get(&process.cache, b"a", 1).await.unwrap().source, Source::Origin);
    server.resurrect();
    process.until_up(true).await;
    get(&process.cache, b"a", 1).await;
    until_in_redis(&process, b"a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_redis_is_as_harmless_as_a_dead_one() {
    let server = Redis::start(&[]);
    let process = Process::on(&hasty(redis_at(&server.url())), l2_only()).await;
    keep_in_redis(&process, b"a", 1).await;
    server.pause();
    for number in 0_u32..300 {
        assert_eq!(get(&process.cache, &number.to_be_bytes(), 1).await.unwrap().source, Source::Origin);
    }
    // Its reads do not ask any more: the next test shows it.
    process.until_up(false).await;
    process.cache.invalidate(b"a", 2, Some(7)).await;
    server.resume();
    process.until_up(true).await;
    assert_eq!(get(&process.cache, b"a", 2).await.unwrap().version(), 2, "the old value did not survive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_redis_is_down_a_cache_may_protect_the_database_or_fail() {
    let server = Redis::start(&[]);
    let protect = CacheOptions { when_l2_down: WhenL2Down::Protect, protect_loads_max: 1, ..l2_only() };
    let process = Process::on(&redis_at(&server.url()), protect).await;
    let fail = process
        .caches
        .cache("failing", CacheOptions { when_l2_down: WhenL2Down::Fail, ..l2_only() })
        .unwrap();
    server.kill();
    process.until_up(false).await;
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (cache, started, opened) = (process.cache.clone(), begun.clone(), gate.clone());
    let first = pando_telemetry::spawn("test.first", async move {
        let load = async move |_: Call| {
            started.notify_one();
            opened.notified().await;
            Ok::<_, Infallible>(Some(Loaded::new(1, "x")))
        };
        cache.get_or_load(&call(), b"a", None, load).await.map(|_| ())
    });
    begun.notified().await;
    let load = async |_: Call| Ok::<_, Infallible>(Some(Loaded::new(1, "x")));
    let second = process.cache.get_or_load(&call(), b"b", None, load).await;
    assert!(matches!(second, Err(LoadError::Protected)));
    gate.notify_one();
    first.await.unwrap().unwrap();
    process.cache.get_or_load(&call(), b"b", None, load).await.unwrap();
    assert!(matches!(fail.get_or_load(&call(), b"b", None, load).await, Err(LoadError::L2Down)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_out_of_memory_still_reads_and_still_invalidates() {
    let server = Redis::start(&["--maxmemory-policy", "noeviction"]);
    let (redis, options) = (redis_at(&server.url()), l2_only());
    let (one, two) = (Process::on(&redis, options.clone()).await, Process::on(&redis, options).await);
    get(&one.cache, b"a", 1).await;
    until_in_redis(&two, b"a").await;
    assert!(server.ask("CONFIG SET maxmemory 1").unwrap().starts_with("+OK"));
    assert_eq!(get(&two.cache, b"a", 9).await.unwrap().source, Source::L2);
    assert_eq!(get(&two.cache, b"b", 1).await.unwrap().source, Source::Origin);
    until("it was refused", async || two.count(r#"cache_errors_total{cache="things",tier="l2"}"#) > 0).await;
    one.cache.invalidate(b"a", 2, Some(7)).await;
    assert_eq!(one.caches.health().unwrap().queued_invalidations, 0);
    assert_eq!(get(&two.cache, b"a", 2).await.unwrap().source, Source::Origin);
    assert!(one.caches.health().unwrap().up && two.caches.health().unwrap().up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_no_place_to_write_and_is_not_used() {
    let master = Redis::start(&[]);
    let port = master.port().to_string();
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &port]);
    let process = Process::opened(&redis_at(&replica.url()), l2_only()).await;
    for version in 1..20 {
        assert_eq!(get(&process.cache, b"a", version).await.unwrap().source, Source::Origin);
    }
    assert!(!process.caches.health().unwrap().up);
    assert!(replica.ask("REPLICAOF NO ONE").unwrap().starts_with("+OK"));
    process.until_up(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_invalidations_than_are_kept_expire_everything() {
    let server = Redis::start(&[]);
    let mut redis = hasty(redis_at(&server.url()));
    redis.queued_invalidations_max = 10;
    let process = Process::on(&redis, l2_only()).await;
    keep_in_redis(&process, b"a", 1).await;
    server.pause();
    until("it is given up", async || {
        get(&process.cache, b"b", 1).await;
        !process.caches.health().unwrap().up
    })
    .await;
    for number in 0_u32..11 {
        process.cache.invalidate(&number.to_be_bytes(), 1, None).await;
    }
    server.resume();
    process.until_up(true).await;
    assert_eq!(get(&process.cache, b"a", 2).await.unwrap().version(), 2);
}

/// Passes everything on while `open`, and nothing at all while not: a partition, not a closed door.
async fn proxy(server: u16, open: watch::Receiver<bool>, delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    pando_telemetry::spawn("test.proxy", async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            pando_telemetry::spawn("test.proxy", pass(from_client, to_server, open.clone(), delay));
            pando_telemetry::spawn("test.proxy", pass(from_server, to_client, open.clone(), Duration::ZERO));
        }
    });
    port
}

async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut open: watch::Receiver<bool>,
    delay: Duration,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        // The delay is what this proxy is for.
        tokio::time::sleep(delay).await;
        // What is sent during a partition arrives after it.
        let healed = open.wait_for(|open| *open).await.is_ok();
        if !healed || to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_invalidated_during_a_partition_is_not_served_after_it() {
    let server = Redis::start(&[]);
    let (gate, open) = watch::channel(true);
    let port = proxy(server.port(), open, Duration::ZERO).await;
    let near = redis_at(&server.url());
    let mut far = hasty(near.clone());
    far.url = Some(pando_cache::Secret::new(format!("redis://127.0.0.1:{port}")));
    let (near, far) = (Process::on(&near, plain()).await, Process::on(&far, plain()).await);
    get(&near.cache, b"a", 1).await;
    until_in_redis(&far, b"a").await;
    assert_eq!(far.cache.peek(b"a", None).unwrap().version(), 1);

    gate.send_replace(false);
    near.cache.invalidate(b"a", 2, Some(7)).await;
    far.until_up(false).await;
    far.cache.invalidate(b"b", 2, Some(8)).await;
    gate.send_replace(true);
    far.until_up(true).await;
    assert_eq!(get(&far.cache, b"a", 2).await.unwrap().version(), 2, "it missed the message, and knows it");
    assert!(far.count(r#"cache_bus_messages_total{cache="things",event="lost"}"#) > 0);
    assert!(server.ask("KEYS *:d:{:b}").unwrap().starts_with("*1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_redis_is_asked_until_the_breaker_opens() {
    let server = Redis::start(&[]);
    let (_gate, open) = watch::channel(true);
    let port = proxy(server.port(), open, Duration::from_millis(80)).await;
    let mut redis = redis_at(&format!("redis://127.0.0.1:{port}"));
    // Slower than a read may take, faster than anything else may. The breaker does not try again while we look.
    (redis.soft_timeout_ms, redis.breaker_open_ms, redis.breaker_open_max_ms) = (50, 60_000, 60_000);
    let process = Process::on(&redis, l2_only()).await;
    let mut numbers = 0_u32..;
    let mut read = async || {
        let key = numbers.next().unwrap().to_be_bytes();
        assert_eq!(get(&process.cache, &key, 1).await.unwrap().source, Source::Origin);
    };
    until("it is given up", async || {
        read().await;
        !process.caches.health().unwrap().up
    })
    .await;
    let asked = || process.count(r#"cache_operation_latency_seconds_count{cache="things",tier="l2"}"#);
    let before = asked();
    for _ in 0..100 {
        read().await;
    }
    assert_eq!(asked(), before, "nobody waits for it any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stamp_put_out_stays_out_though_redis_evicts_the_stamp() {
    let server = Redis::start(&[]);
    let redis = redis_at(&server.url());
    let one = Process::on(&redis, l2_only()).await;
    for (key, tag) in [(b"a", Some("red")), (b"b", None)] {
        let value = Loaded { tags: tag.into_iter().map(Into::into).collect(), ..Loaded::new(1, "old") };
        let load = async move |_: Call| Ok::<_, Infallible>(Some(value));
        one.cache.get_or_load(&call(), key, None, load).await.unwrap();
        until_in_redis(&one, key).await;
    }
    one.cache.invalidate_tag("red").await;
    let evict = |what: &str| {
        let key = format!("{}:1:things:{what}", redis.key_prefix);
        assert_eq!(server.ask(&format!("DEL {key}")).unwrap(), ":1\r\n", "{key}");
    };
    evict("t:{:red}");
    let two = Process::on(&redis, l2_only()).await;
    assert_eq!(get(&two.cache, b"a", 2).await.unwrap().source, Source::Origin);
    until_in_redis(&two, b"a").await;
    assert_eq!(get(&two.cache, b"b", 1).await.unwrap().source, Source::L2);
    one.cache.clear().await;
    evict("c:{:}");
    let three = Process::on(&redis, l2_only()).await;
    assert_eq!(get(&three.cache, b"b", 2).await.unwrap().source, Source::Origin);
    until_in_redis(&three, b"b").await;
    let distrusted = format!("DEL {{{}}}:distrusted", redis.key_prefix);
    assert!(server.ask(&distrusted).unwrap().starts_with(":1"));
    let four = Process::on(&redis, l2_only()).await;
    assert_eq!(get(&four.cache, b"b", 3).await.unwrap().source, Source::Origin);
}
