//! The metrics of a cache; the handles are resolved when the cache is made.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use pando_telemetry::{Counter, Gauge, Histogram, LATENCY_BUCKETS, Metrics};

/// One look-up in so many is timed: reading the clock twice costs as much as the look-up.
const TIMED_ONE_IN: u32 = 64;
const LANES: usize = 8;

/// Bounds for staleness in seconds, from 10 ms to a day.
const STALENESS_BUCKETS: &[f64] =
    &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 86_400.0];

/// The numbers of one tier.
pub(crate) struct Tier {
    pub(crate) misses: Counter,
    pub(crate) seconds: Histogram,
}

pub(crate) struct Meters {
    hits: Lanes,
    hits_l1: Counter,
    pub(crate) hits_l2: Counter,
    pub(crate) l1: Tier,
    pub(crate) l2: Tier,
    pub(crate) stale_hits: Counter,
    pub(crate) loads: Counter,
    pub(crate) load_errors: Counter,
    pub(crate) l2_errors: Counter,
    pub(crate) fills_skipped: Counter,
    pub(crate) load_seconds: Histogram,
    pub(crate) refused_l1: Counter,
    pub(crate) refused_l2: Counter,
    pub(crate) evicted_size: Counter,
    pub(crate) evicted_expired: Counter,
    pub(crate) evicted_invalidated: Counter,
    pub(crate) early_refreshes: Counter,
    pub(crate) bus_sent: Counter,
    pub(crate) bus_received: Counter,
    pub(crate) bus_lost: Counter,
    pub(crate) staleness: Histogram,
    entries: Gauge,
    bytes: Gauge,
    hit_percent: Gauge,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics, cache: &'static str) -> Self {
        let tier = |tier| [("cache", cache), ("tier", tier)];
        let counter = |name: &str, help: &str, labels: &[(&'static str, &str)]| {
            metrics.counter(name, help, &[&[("cache", cache)], labels].concat())
        };
        let hits = |name| metrics.counter("cache_hits", "Look-ups answered by a tier.", &tier(name));
        let errors = |name| metrics.counter("cache_errors", "Operations that failed.", &tier(name));
        let refused = |name| {
            let help = "Values that were not kept because something newer is known about their key.";
            metrics.counter("cache_fence_refusals", help, &tier(name))
        };
        let evicted = |cause| {
            let help = "Entries that left this process, by cause.";
            metrics.counter("cache_evictions", help, &[tier("l1").as_slice(), &[("cause", cause)]].concat())
        };
        let bus =
            |event| counter("cache_bus_messages", "Invalidations between processes.", &[("event", event)]);
        let seconds = |name: &str, help: &str, labels: &[(&'static str, &str)]| {
            metrics.histogram(name, help, labels, LATENCY_BUCKETS)
        };
        let of_tier = |name| Tier {
            misses: metrics.counter("cache_misses", "Look-ups that a tier could not answer.", &tier(name)),
            seconds: seconds(
                "cache_operation_latency_seconds",
                "How long a tier took; one in 64 look-ups of l1 is timed.",
                &tier(name),
            ),
        };
        let gauge =
            |name: &str, help: &str, labels: &[(&'static str, &str)]| metrics.gauge(name, help, labels);
        Self {
            hits: Lanes::default(),
            hits_l1: hits("l1"),
            hits_l2: hits("l2"),
            l1: of_tier("l1"),
            l2: of_tier("l2"),
            stale_hits: hits("stale"),
            loads: counter("cache_loads", "Loads begun.", &[]),
            load_errors: errors("origin"),
            l2_errors: errors("l2"),
            fills_skipped: counter("cache_fills_skipped", "Values not sent to Redis: too many at once.", &[]),
            load_seconds: seconds("cache_load_seconds", "How long loads took.", &[("cache", cache)]),
            refused_l1: refused("l1"),
            refused_l2: refused("l2"),
            evicted_size: evicted("size"),
            evicted_expired: evicted("expired"),
            evicted_invalidated: evicted("invalidated"),
            early_refreshes: counter(
                "cache_early_refreshes",
                "Refreshes that began before expiry or ran in the background.",
                &[],
            ),
            bus_sent: bus("sent"),
            bus_received: bus("received"),
            bus_lost: bus("lost"),
            staleness: metrics.histogram(
                "cache_staleness_seconds",
                "How long a sampled hit had been older than the database; 0 if it was not older.",
                &[("cache", cache)],
                STALENESS_BUCKETS,
            ),
            entries: gauge("cache_size", "Entries of this process.", &tier("l1")),
            bytes: gauge("cache_size_bytes", "Bytes of this process's entries.", &tier("l1")),
            hit_percent: gauge(
                "cache_hit_ratio",
                "Share of look-ups of l1 that l1 answered, in percent.",
                &tier("l1"),
            ),
        }
    }

    /// Counts a hit of the first tier.
    pub(crate) fn hit(&self, turn: &Turn) {
        self.hits.inc(turn.lane);
    }

    pub(crate) fn hits_l1(&self) -> u64 {
        self.hits.sum()
    }

    /// The share of look-ups that the first tier answered.
    pub(crate) fn hit_ratio(&self) -> f64 {
        let (hits, misses) = (self.hits.sum(), self.l1.misses.get());
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = if hits == 0 { 0.0 } else { hits as f64 / (hits + misses) as f64 };
        ratio
    }

    /// Brings what is not kept up all the time to where it stands.
    pub(crate) fn publish(&self, entries: usize, bytes: usize) {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.entries.set(count(entries));
        self.bytes.set(count(bytes));
        #[expect(clippy::cast_possible_truncation, reason = "0 to 100")]
        self.hit_percent.set((self.hit_ratio() * 100.0).round() as i64);
        self.hits_l1.inc_by(self.hits.sum().saturating_sub(self.hits_l1.get()));
    }
}

/// One look-up of one thread.
pub(crate) struct Turn {
    lane: usize,
    number: u32,
}

impl Turn {
    pub(crate) fn take() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
            static TURN: Cell<u32> = const { Cell::new(0) };
        }
        let number = TURN.get().wrapping_add(1);
        TURN.set(number);
        Self { lane: LANE.with(|lane| *lane), number }
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.is_one_in(TIMED_ONE_IN)
    }

    pub(crate) fn is_one_in(&self, many: u32) -> bool {
        many != 0 && self.number.is_multiple_of(many)
    }
}

/// A counter with a cache line for each of several threads: hits are counted by all of them at once.
#[derive(Default)]
struct Lanes([Lane; LANES]);

#[derive(Default)]
#[repr(align(64))]
struct Lane(AtomicU64);

impl Lanes {
    fn inc(&self, lane: usize) {
        self.0[lane].0.fetch_add(1, Ordering::Relaxed);
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|lane| lane.0.load(Ordering::Relaxed)).sum()
    }
}
