//! The noise model of simulations: which features vary, by how much, and together with which others.
//!
//! The figures of a business are uncertain, and the more so the further one looks ahead. Each feature below gets a random
//! amount whose standard deviation is [`Source::deviation`] for a year, times the square root of the years. Half of the
//! randomness (a correlation of 0.5) is common to all of them, because the figures of one business move together: a draw
//! that lowers revenue lowers staff too, and raises scores. The deviations are at most half of those by which the generator
//! of the training data blurs the same figures, so that the model has seen such values. They are assumptions, and every
//! answer names them.
//!
//! Randomness is a sum of twelve uniform numbers, less six: nearly a normal distribution, by additions alone. So the same
//! seed gives the same bytes on every machine.

use fastrand::Rng;

use super::scenarios::position;
use crate::model::{FEATURES, Features};

/// The share of the variance that all features have in common.
const SHARED_VARIANCE: f64 = 0.5;

/// A feature that varies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) feature: &'static str,
    /// The standard deviation for a horizon of twelve months, in the unit of the feature.
    pub(crate) deviation: f64,
    /// 1 or -1: whether the common part raises or lowers it.
    sign: f64,
}

/// Every feature that varies. All others stay as they are: they say what was observed, such as whether a phone number was given.
pub(crate) const SOURCES: [Source; 5] = [
    Source { feature: "annual_revenue_log", deviation: 0.15, sign: 1.0 },
    Source { feature: "employee_count_log", deviation: 0.10, sign: 1.0 },
    Source { feature: "last_score", deviation: 0.05, sign: -1.0 },
    Source { feature: "mean_score", deviation: 0.03, sign: -1.0 },
    Source { feature: "score_trend", deviation: 0.02, sign: -1.0 },
];

/// Features with noise, run after run.
pub(crate) struct Noise {
    random: Rng,
    /// Positions, deviations and signs of the features that are not missing.
    varied: Vec<(usize, f64, f64)>,
}

impl Noise {
    /// The noise around these features for a horizon.
    pub(crate) fn new(seed: u64, values: &Features, horizon_months: u8) -> Self {
        let scale = (f64::from(horizon_months) / 12.0).sqrt();
        let known = SOURCES.iter().filter_map(|source| Some((position(source.feature)?, source)));
        let varied = known.filter(|(at, _)| !values[*at].is_nan());
        let varied = varied.map(|(at, source)| (at, source.deviation * scale, source.sign)).collect();
        Self { random: Rng::with_seed(seed), varied }
    }

    /// The features that vary, with their deviations.
    pub(crate) fn varied(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        self.varied.iter().map(|(at, deviation, _)| (FEATURES[*at].name, *deviation))
    }

    /// The features of the next run.
    pub(crate) fn next(&mut self, values: &Features) -> Features {
        let mut values = *values;
        let shared = SHARED_VARIANCE.sqrt() * self.normal();
        for place in 0..self.varied.len() {
            let (at, deviation, sign) = self.varied[place];
            let own = (1.0 - SHARED_VARIANCE).sqrt() * self.normal();
            values[at] = FEATURES[at].value(values[at] + deviation * (sign * shared + own));
        }
        values
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FEATURE_COUNT;

    #[test]
    fn the_noise_has_the_deviations_that_the_table_says() {
        let mut values = [f64::NAN; FEATURE_COUNT];
        let (revenue, score) = (position("annual_revenue_log").unwrap(), position("last_score").unwrap());
        (values[revenue], values[score]) = (6.0, 0.5);
        let mut noise = Noise::new(7, &values, 12);
        assert_eq!(
            noise.varied().map(|(name, _)| name).collect::<Vec<_>>(),
            ["annual_revenue_log", "last_score"]
        );
        let runs: Vec<Features> = (0..20_000).map(|_| noise.next(&values)).collect();
        let mean = |of: &dyn Fn(&Features) -> f64| runs.iter().map(of).sum::<f64>() / 20_000.0;
        assert!((mean(&|run| run[revenue]) - 6.0).abs() < 0.01);
        assert!((mean(&|run| (run[revenue] - 6.0).powi(2)).sqrt() - 0.15).abs() < 0.005);
        let together = mean(&|run| (run[revenue] - 6.0) * (run[score] - 0.5)) / (0.15 * 0.05);
        assert!((together + 0.5).abs() < 0.03, "less revenue goes with higher scores: {together}");
        assert!(runs.iter().all(|run| run.iter().filter(|value| !value.is_nan()).count() == 2));
    }

    #[test]
    fn a_seed_gives_the_same_runs_for_ever() {
        let mut values = [f64::NAN; FEATURE_COUNT];
        values[position("last_score").unwrap()] = 0.5;
        let mut noise = Noise::new(42, &values, 24);
        let runs: Vec<f64> = (0..5).map(|_| noise.next(&values)[position("last_score").unwrap()]).collect();
        assert_eq!(runs, [0.587, 0.562, 0.591, 0.373, 0.374]);
    }
}
