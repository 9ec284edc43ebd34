//! The course of the earlier scores of a business.

use serde::Serialize;
use utoipa::ToSchema;

use super::comparison::mean;
use crate::domain::assessment::Assessed;
use crate::domain::trend::{ScoreTrend, Trend};

/// The trend of earlier scores.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrendAnalysis {
    /// The direction of the scores.
    pub overall_trend: Trend,
    /// The share of the variance of the scores that a line explains; 0 for fewer than three scores.
    pub trend_strength: f64,
    /// By how much the line changes in 30 days, without its sign.
    pub magnitude: f64,
    /// Always empty: nothing looks for patterns of seasons.
    pub seasonal_patterns: Vec<String>,
}

/// How much earlier scores differ.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VolatilityAnalysis {
    /// Their standard deviation; null for fewer than two.
    pub standard_deviation: Option<f64>,
    /// The lowest of them.
    pub lowest: Option<f64>,
    /// The highest of them.
    pub highest: Option<f64>,
    /// How many there are: the latest 100 at most.
    pub sample_size: usize,
}

/// The course of the earlier scores of a business.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TemporalAnalysis {
    /// The direction of the scores.
    pub trend_analysis: TrendAnalysis,
    /// How much they differ.
    pub volatility_analysis: VolatilityAnalysis,
}

impl TemporalAnalysis {
    pub(crate) fn of(earlier: &[Assessed]) -> Self {
        let trend = ScoreTrend::of(earlier.iter().map(|one| (one.created_at, one.score)));
        let scores: Vec<f64> = earlier.iter().map(|one| one.score).collect();
        let middle = mean(scores.iter().copied());
        let variance = mean(scores.iter().map(|score| (score - middle).powi(2)));
        Self {
            trend_analysis: TrendAnalysis {
                overall_trend: trend.direction,
                trend_strength: trend.confidence,
                magnitude: trend.magnitude,
                seasonal_patterns: Vec::new(),
            },
            volatility_analysis: VolatilityAnalysis {
                standard_deviation: (scores.len() > 1).then(|| variance.sqrt()),
                lowest: scores.iter().copied().min_by(f64::total_cmp),
                highest: scores.iter().copied().max_by(f64::total_cmp),
                sample_size: scores.len(),
            },
        }
    }
}
