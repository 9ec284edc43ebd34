//! How busy the connections are, and how long callers wait for one.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pando_telemetry::{Histogram, LATENCY_BUCKETS, Metrics};

/// A look at the connections of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// As many may be open.
    pub max: usize,
    /// Open now.
    pub open: usize,
    /// Open and free.
    pub idle: usize,
    /// Serving somebody.
    pub in_use: usize,
    /// Callers that wait for one right now.
    pub waiters: usize,
    /// Callers that had to wait, since the start.
    pub wait_count: u64,
    /// How long they waited, all together.
    pub wait_seconds: f64,
}

/// Counts those who wait for a connection.
#[derive(Clone)]
pub(crate) struct Waits(Arc<Counts>);

struct Counts {
    waiters: AtomicUsize,
    count: AtomicU64,
    seconds: Histogram,
}

impl Waits {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let help = "How long callers waited for a database connection";
        let seconds = metrics.histogram("db_wait_seconds", help, &[], LATENCY_BUCKETS);
        Self(Arc::new(Counts { waiters: AtomicUsize::new(0), count: AtomicU64::new(0), seconds }))
    }

    /// Somebody waits until the guard is dropped.
    pub(crate) fn begin(&self) -> Wait {
        self.0.waiters.fetch_add(1, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Relaxed);
        Wait { counts: Arc::clone(&self.0), since: Instant::now() }
    }

    pub(crate) fn fill(&self, statistics: &mut Statistics) {
        statistics.waiters = self.0.waiters.load(Ordering::Relaxed);
        statistics.wait_count = self.0.count.load(Ordering::Relaxed);
        statistics.wait_seconds = self.0.seconds.sum();
    }
}

/// Somebody who waits.
pub(crate) struct Wait {
    counts: Arc<Counts>,
    since: Instant,
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.counts.waiters.fetch_sub(1, Ordering::Relaxed);
        self.counts.seconds.observe_duration(self.since.elapsed());
    }
}

/// Keeps the gauges of `metrics` at what `look` says, each time they are asked for. Several databases may share them:
/// each adds what it has, and takes it away again when it is gone.
pub(crate) fn publish(metrics: &Metrics, look: impl Fn() -> Option<Statistics> + Send + Sync + 'static) {
    let state = |state: &str| {
        metrics.gauge("db_connections", "Database connections, by what they do", &[("state", state)])
    };
    let gauges = [
        state("open"),
        state("idle"),
        state("in_use"),
        state("max"),
        metrics.gauge("db_waiters", "Callers that wait for a database connection now", &[]),
        metrics.gauge("db_wait_count", "Callers that had to wait for a database connection", &[]),
    ];
    let published = Mutex::new([0; 6]);
    metrics.on_scrape(move || {
        let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
        let now = look().unwrap_or_default();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let waited = i64::try_from(now.wait_count).unwrap_or(i64::MAX);
        let now =
            [count(now.open), count(now.idle), count(now.in_use), count(now.max), count(now.waiters), waited];
        for ((gauge, now), before) in gauges.iter().zip(now).zip(published.iter_mut()) {
            gauge.add(now - std::mem::replace(before, now));
        }
    });
}
