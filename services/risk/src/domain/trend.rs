//! The trend of the scores of a business: the line of least squares through them.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const DAY_MICROS: f64 = 86_400_000_000.0;
/// A smaller change within 30 days is none.
const CHANGE_MIN: f64 = 0.01;

/// The course of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// It gets better.
    Improving,
    /// It stays.
    Stable,
    /// It gets worse.
    Deteriorating,
}

/// The trend of scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScoreTrend {
    /// The direction of the scores.
    pub direction: Trend,
    /// By how much the line through the scores changes in 30 days, without its sign.
    pub magnitude: f64,
    /// The share of the variance of the scores that the line explains. It is 0 for fewer than three scores, which fit any line.
    pub confidence: f64,
    /// How many scores there are.
    pub sample_size: usize,
}

impl ScoreTrend {
    /// The trend of scores with their moments, in any order.
    pub(crate) fn of(scores: impl Iterator<Item = (Timestamp, f64)>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "days need no more than 52 bits")]
        let points: Vec<(f64, f64)> =
            scores.map(|(at, score)| (at.as_micros() as f64 / DAY_MICROS, score)).collect();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred scores")]
        let count = points.len() as f64;
        let mean = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| of(*x, *y)).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(&|x, _| x), mean(&|_, y| y));
        let (of_x, of_y) = (mean(&|x, _| (x - mean_x).powi(2)), mean(&|_, y| (y - mean_y).powi(2)));
        let both = mean(&|x, y| (x - mean_x) * (y - mean_y));
        let change = if of_x > 0.0 { 30.0 * both / of_x } else { 0.0 };
        let explained = if of_x > 0.0 && of_y > 0.0 { (both * both / (of_x * of_y)).min(1.0) } else { 0.0 };
        Self {
            direction: match change {
                more if more > CHANGE_MIN => Trend::Deteriorating,
                less if less < -CHANGE_MIN => Trend::Improving,
                _ => Trend::Stable,
            },
            magnitude: change.abs(),
            confidence: if points.len() < 3 { 0.0 } else { explained },
            sample_size: points.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(scores: &[(i64, f64)]) -> ScoreTrend {
        ScoreTrend::of(
            scores.iter().map(|(day, score)| (Timestamp::from_micros(day * 86_400_000_000), *score)),
        )
    }

    #[test]
    fn the_line_through_the_scores_says_where_they_go() {
        let rising = trend(&[(0, 0.2), (60, 0.4), (30, 0.3)]);
        assert_eq!((rising.direction, rising.sample_size), (Trend::Deteriorating, 3));
        assert!((rising.magnitude - 0.1).abs() < 1e-9 && (rising.confidence - 1.0).abs() < 1e-9);
        assert_eq!(trend(&[(0, 0.4), (30, 0.2), (60, 0.1)]).direction, Trend::Improving);
        let level = trend(&[(0, 0.2), (30, 0.2), (60, 0.2)]);
        assert_eq!((level.direction, level.magnitude, level.confidence), (Trend::Stable, 0.0, 0.0));
    }

    #[test]
    fn few_scores_say_nothing_for_sure() {
        for scores in [&[][..], &[(5, 0.4)], &[(5, 0.1), (5, 0.9), (5, 0.5)]] {
            let trend = trend(scores);
            assert_eq!((trend.direction, trend.magnitude, trend.confidence), (Trend::Stable, 0.0, 0.0));
        }
        assert_eq!(trend(&[(0, 0.1), (30, 0.9)]).confidence, 0.0);
    }
}
