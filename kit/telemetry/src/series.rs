//! Single series: handles over atomics, which callers keep and use without a look-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A cache line of its own, so that two threads on two series do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line<T>(T);

/// Only goes up.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<Line<AtomicU64>>);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// So many more.
    pub fn inc_by(&self, count: u64) {
        self.0.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Line<AtomicI64>>);

impl Gauge {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// One less.
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Moves it by `change`.
    pub fn add(&self, change: i64) {
        self.0.0.fetch_add(change, Ordering::Relaxed);
    }

    /// Puts it at `value`.
    pub fn set(&self, value: i64) {
        self.0.0.store(value, Ordering::Relaxed);
    }

    /// Where it stands.
    pub fn get(&self) -> i64 {
        self.0.0.load(Ordering::Relaxed)
    }
}

/// Counts observations by size.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds: &'static [f64],
    /// One count a bound and one for everything above; not cumulative until it is written out.
    counts: Box<[AtomicU64]>,
    /// The bits of an `f64`: a sum of whole nanoseconds would overflow on sizes in bytes.
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Buckets { bounds, counts, sum: AtomicU64::new(0) }))
    }

    /// Counts one observation, in the unit of the buckets (seconds for times). NaN is not an observation.
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let index = self.0.bounds.partition_point(|bound| *bound < value);
        self.0.counts[index].fetch_add(1, Ordering::Relaxed);
        let mut seen = self.0.sum.load(Ordering::Relaxed);
        loop {
            let next = (f64::from_bits(seen) + value).to_bits();
            match self.0.sum.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }

    /// Counts one observation of a time.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// How many observations so far.
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The sum of all observations.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.0.sum.load(Ordering::Relaxed))
    }

    pub(crate) fn bounds(&self) -> &'static [f64] {
        self.0.bounds
    }

    /// Every bound with the count of observations at or below it; the last one is everything.
    pub(crate) fn cumulated(&self) -> Vec<(f64, u64)> {
        let mut total = 0;
        let bounds = self.0.bounds.iter().copied().chain([f64::INFINITY]);
        bounds
            .zip(&self.0.counts)
            .map(|(bound, count)| {
                total += count.load(Ordering::Relaxed);
                (bound, total)
            })
            .collect()
    }
}
