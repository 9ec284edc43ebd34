//! How long the models of this process take, and how often they fail: counted since it began.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pando_clock::Timestamp;

use crate::model::ModelType;

/// Each doubling of the time has so many buckets: a quantile is at most a sixteenth too high.
const STEPS: u64 = 16;
/// Enough for every time of 64 bits.
const BUCKETS: usize = 61 * 16;

/// The measurements of all types of models.
#[derive(Debug)]
pub(crate) struct Measured {
    since: Timestamp,
    began: Instant,
    models: [OfModel; 3],
}

#[derive(Debug)]
struct OfModel {
    /// Times in nanoseconds.
    buckets: Vec<AtomicU64>,
    nanos: AtomicU64,
    errors: AtomicU64,
}

/// The figures of one type of model, or of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Predictions, without those that failed.
    pub(crate) count: u64,
    pub(crate) errors: u64,
    pub(crate) nanos: u64,
    /// The times below which 50, 95 and 99 % of predictions lie; none without a prediction.
    pub(crate) quantiles: Option<[u64; 3]>,
}

impl Measured {
    /// Nothing is counted yet.
    pub(crate) fn new(since: Timestamp) -> Self {
        let of_model = |_| OfModel {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            nanos: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        };
        Self { since, began: Instant::now(), models: [0, 1, 2].map(of_model) }
    }

    /// Measures one prediction.
    pub(crate) fn time<T>(&self, kind: ModelType, predict: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = predict();
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let model = self.of(kind);
        model.buckets[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        model.nanos.fetch_add(nanos, Ordering::Relaxed);
        done
    }

    /// Counts a prediction for which there was no model.
    pub(crate) fn failed(&self, kind: ModelType) {
        self.of(kind).errors.fetch_add(1, Ordering::Relaxed);
    }

    /// The moment from which it was counted.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    /// Predictions per second since it began.
    pub(crate) fn per_second(&self, figures: &Figures) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let count = figures.count as f64;
        count / self.began.elapsed().as_secs_f64()
    }

    /// The figures of these types together.
    pub(crate) fn figures(&self, kinds: &[ModelType]) -> Figures {
        let mut counts = vec![0_u64; BUCKETS];
        let mut figures = Figures::default();
        for model in kinds.iter().map(|kind| self.of(*kind)) {
            for (count, bucket) in counts.iter_mut().zip(&model.buckets) {
                *count += bucket.load(Ordering::Relaxed);
            }
            figures.errors += model.errors.load(Ordering::Relaxed);
            figures.nanos += model.nanos.load(Ordering::Relaxed);
        }
        figures.count = counts.iter().sum();
        if figures.count > 0 {
            figures.quantiles = Some([50, 95, 99].map(|percent| quantile(&counts, figures.count, percent)));
        }
        figures
    }

    fn of(&self, kind: ModelType) -> &OfModel {
        match kind {
            ModelType::GradientBoosting => &self.models[0],
            ModelType::Sequence => &self.models[1],
            ModelType::Ensemble => &self.models[2],
        }
    }
}

impl Figures {
    /// The mean time in nanoseconds; none without a prediction.
    pub(crate) fn mean_nanos(&self) -> Option<u64> {
        self.nanos.checked_div(self.count)
    }

    /// The share of predictions that failed; none without a prediction.
    pub(crate) fn error_rate(&self) -> Option<f64> {
        let all = self.count + self.errors;
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
        let rate = self.errors as f64 / all as f64;
        (all > 0).then_some(rate)
    }
}

/// The bucket of a time: exact below sixteen, and then sixteen for each doubling.
fn bucket(nanos: u64) -> usize {
    let doublings = u64::from(63 - nanos.max(STEPS).leading_zeros()) - 4;
    let at = doublings * STEPS + (nanos >> doublings);
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The longest time of a bucket.
fn longest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / STEPS).saturating_sub(1);
    let least = (bucket - doublings * STEPS) << doublings;
    least + ((1 << doublings) - 1)
}

fn quantile(counts: &[u64], all: u64, percent: u64) -> u64 {
    let wanted = (all * percent).div_ceil(100).max(1);
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    longest(found.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_of_a_bucket_is_in_it_and_at_most_a_sixteenth_away() {
        for nanos in (0..5_000).chain([1 << 20, (1 << 20) + 1, u64::MAX / 3, u64::MAX]) {
            let longest = longest(bucket(nanos));
            assert_eq!(bucket(longest), bucket(nanos), "{nanos}");
            assert!(longest >= nanos && longest - nanos <= nanos / 16, "{nanos} {longest}");
        }
        assert!((0..BUCKETS).is_sorted_by_key(longest));
    }

    #[test]
    fn quantiles_are_those_of_the_times() {
        let measured = Measured::new(Timestamp::from_micros(0));
        let model = measured.of(ModelType::Sequence);
        for nanos in 1..=100 {
            model.buckets[bucket(nanos * 16)].fetch_add(1, Ordering::Relaxed);
        }
        measured.failed(ModelType::Sequence);
        let figures = measured.figures(&[ModelType::Sequence]);
        let [p50, p95, p99] = figures.quantiles.unwrap();
        assert!((800..=850).contains(&p50) && (1520..=1615).contains(&p95) && (1584..=1684).contains(&p99));
        assert!((figures.error_rate().unwrap() - 1.0 / 101.0).abs() < 1e-12);
        let none = measured.figures(&[ModelType::Ensemble]);
        assert_eq!((none.quantiles, none.mean_nanos(), none.error_rate()), (None, None, None));
        assert_eq!(measured.time(ModelType::Ensemble, || 5), 5);
        assert_eq!(measured.figures(&ModelType::ALL).count, 101);
    }
}
