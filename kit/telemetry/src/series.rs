//! One series each: a handle over atomics, made to be kept and used without a look-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// In how many places a series counts: threads that count the same thing do not take its cache line from each other.
const STRIPES: usize = 4;

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: usize = NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES;
}

/// Where this thread counts.
fn stripe() -> usize {
    // A thread that is ending counts in the first.
    STRIPE.try_with(|stripe| *stripe).unwrap_or(0)
}

/// A cache line of its own, so that two threads on two series do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line<T>(T);

/// Only goes up.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<[Line<AtomicU64>; STRIPES]>);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// So many more.
    pub fn inc_by(&self, count: u64) {
        self.0[stripe()].0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.iter().map(|line| line.0.load(Ordering::Relaxed)).sum()
    }
}

/// Goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<[Line<AtomicI64>; STRIPES]>);

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
        self.0[stripe()].0.fetch_add(change, Ordering::Relaxed);
    }

    /// Puts it at `value`. A gauge is either moved or put: a move at the same instant may be lost.
    pub fn set(&self, value: i64) {
        let [first, others @ ..] = &*self.0;
        first.0.store(value, Ordering::Relaxed);
        others.iter().for_each(|line| line.0.store(0, Ordering::Relaxed));
    }

    /// Where it stands.
    pub fn get(&self) -> i64 {
        self.0.iter().map(|line| line.0.load(Ordering::Relaxed)).sum()
    }
}

/// Counts observations by size.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds: &'static [f64],
    stripes: [Line<Observed>; STRIPES],
}

#[derive(Debug)]
struct Observed {
    /// One count a bound and one for everything above; not cumulative until it is written out.
    counts: Box<[AtomicU64]>,
    /// The bits of an `f64`: a sum of whole nanoseconds would overflow on sizes in bytes.
    sum: AtomicU64,
}

impl Observed {
    fn new(bounds: &[f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { counts, sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        let stripes = std::array::from_fn(|_| Line(Observed::new(bounds)));
        Self(Arc::new(Buckets { bounds, stripes }))
    }

    /// Counts one observation, in the unit of the buckets (seconds for times). NaN is not an observation.
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let Observed { counts, sum } = &self.0.stripes[stripe()].0;
        let index = self.0.bounds.partition_point(|bound| *bound < value);
        counts[index].fetch_add(1, Ordering::Relaxed);
        let mut seen = sum.load(Ordering::Relaxed);
        loop {
            let next = (f64::from_bits(seen) + value).to_bits();
            match sum.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
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
        (0..=self.0.bounds.len()).map(|index| self.counted(index)).sum()
    }

    /// The sum of all observations.
    pub fn sum(&self) -> f64 {
        self.0.stripes.iter().map(|line| f64::from_bits(line.0.sum.load(Ordering::Relaxed))).sum()
    }

    fn counted(&self, index: usize) -> u64 {
        self.0.stripes.iter().map(|line| line.0.counts[index].load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn bounds(&self) -> &'static [f64] {
        self.0.bounds
    }

    /// Every bound with the count of observations at or below it; the last one is everything.
    pub(crate) fn cumulated(&self) -> Vec<(f64, u64)> {
        let mut total = 0;
        let bounds = self.0.bounds.iter().copied().chain([f64::INFINITY]);
        bounds
            .enumerate()
            .map(|(index, bound)| {
                total += self.counted(index);
                (bound, total)
            })
            .collect()
    }
}
