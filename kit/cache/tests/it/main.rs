//! The cache, with and without Redis.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod conformance;
mod deaths;
mod encryption;
mod expiry;
mod flights;
mod freshness;
mod outages;
mod race;
mod shared;
mod strict;
mod topologies;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pando_cache::{Cache, CacheOptions, Caches, Found, Loaded, RedisOptions, Secret};
use pando_clock::{Clock, Timestamp};
use pando_resilience::Call;
use pando_telemetry::Metrics;

fn call() -> Call {
    Call::internal("test", Duration::from_secs(20))
}

/// A cache of one process, on a clock that stands still.
struct Alone {
    cache: Cache,
    clock: Clock,
    metrics: Metrics,
    _caches: Caches,
}

impl Alone {
    async fn with(options: CacheOptions) -> Self {
        let (metrics, clock) =
            (Metrics::new(), Clock::scripted(Timestamp::from_micros(1_767_225_600_000_000)));
        let caches = Caches::open(&RedisOptions::default(), &metrics, &clock).await.unwrap();
        let cache = caches.cache("things", options).unwrap();
        Self { cache, clock, metrics, _caches: caches }
    }

    async fn new() -> Self {
        Self::with(plain()).await
    }
}

/// The defaults without chance.
fn plain() -> CacheOptions {
    CacheOptions { jitter_percent: 0, early_refresh_beta: 0.0, ..CacheOptions::default() }
}

/// Loads version `version`, and counts.
async fn get(cache: &Cache, key: &[u8], version: i64) -> Option<Found> {
    get_at(cache, key, version, None).await
}

async fn get_at(cache: &Cache, key: &[u8], version: i64, at_least: Option<u64>) -> Option<Found> {
    let value = Loaded::new(version, format!("v{version}"));
    let load = async move |_: Call| Ok::<_, Infallible>(Some(value));
    cache.get_or_load(&call(), key, at_least, load).await.unwrap()
}

/// Counts how often it is asked.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn inc(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The parts of the cache that one process has. Several of them share one Redis and know nothing else of each other.
struct Process {
    cache: Cache,
    metrics: Metrics,
    caches: Caches,
}

impl Process {
    /// One that has found its Redis.
    async fn on(redis: &RedisOptions, options: CacheOptions) -> Self {
        let process = Self::opened(redis, options).await;
        process.until_up(true).await;
        process
    }

    async fn opened(redis: &RedisOptions, options: CacheOptions) -> Self {
        let metrics = Metrics::new();
        let caches = Caches::open(redis, &metrics, &Clock::system()).await.unwrap();
        let cache = caches.cache("things", options).unwrap();
        Self { cache, metrics, caches }
    }

    async fn until_up(&self, up: bool) {
        until("redis is up or down", async || self.caches.health().unwrap().up == up).await;
    }

    /// The value of a series.
    fn count(&self, series: &str) -> u64 {
        let text = self.metrics.render();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().unwrap()
    }
}

/// Keys of one's own on a Redis that others use too. Patient: a machine with too much to do is no outage.
fn redis_at(url: &str) -> RedisOptions {
    RedisOptions {
        url: Some(Secret::new(url)),
        key_prefix: format!("test{}", Clock::system().fresh_id().simple()),
        soft_timeout_ms: 5_000,
        hard_timeout_ms: 10_000,
        connect_ms: 10_000,
        breaker_open_ms: 200,
        breaker_open_max_ms: 400,
        ..RedisOptions::default()
    }
}

/// With the time-outs of a server, for a Redis that falls silent. What is asked of it may be given up on a machine with
/// too much to do: whoever needs it there asks again.
fn hasty(redis: RedisOptions) -> RedisOptions {
    let RedisOptions { soft_timeout_ms, hard_timeout_ms, connect_ms, .. } = RedisOptions::default();
    RedisOptions { soft_timeout_ms, hard_timeout_ms, connect_ms, ..redis }
}

/// Waits for a condition, for twenty seconds at most.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !so().await {
        assert!(tokio::time::Instant::now() < deadline, "in vain: {what}");
        // Between two looks at a condition that another process or thread brings about.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
