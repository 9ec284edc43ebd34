//! Shows where the scores of industries and countries go.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::timeframe::Timeframe;
use crate::domain::trend::Trend;
use crate::store::analytics::{self, Sample, Segment, Totals};

/// A smaller change, in percent, is none.
const CHANGE_PERCENT_MIN: f64 = 5.0;

/// Which assessments are looked at.
#[derive(Clone, Debug)]
pub struct AnalyticsQuestion {
    /// Only this industry, in any case.
    pub industry: Option<String>,
    /// Only this country.
    pub country: Option<String>,
    /// Only this level.
    pub risk_level: Option<&'static str>,
    /// How far back.
    pub timeframe: Timeframe,
}

/// The trend of one industry in one country.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SegmentTrend {
    /// The industry, as assessments name it.
    pub industry: String,
    /// The country.
    pub country: String,
    /// The mean score.
    pub average_risk_score: f64,
    /// The direction of the scores: the mean of the later half of the time beside that of the earlier one. Null if one of them has none.
    pub trend_direction: Option<Trend>,
    /// By how much the later mean is above the earlier one, in percent.
    pub change_percentage: Option<f64>,
    /// How many assessments there are.
    pub sample_size: i64,
}

/// All assessments together.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrendSummary {
    /// How many there are.
    pub total_assessments: i64,
    /// The mean score; null if there are none.
    pub average_risk_score: Option<f64>,
    /// The share that is high or critical, in percent; null if there are none.
    pub high_risk_percentage: Option<f64>,
    /// Whether there are more than 20,000 in the time. Then the newest 20,000 are looked at.
    pub is_sampled: bool,
}

/// The trends.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RiskTrends {
    /// Industries and countries, those with the most assessments first.
    pub trends: Vec<SegmentTrend>,
    /// All of them together.
    pub summary: TrendSummary,
}

impl Risk {
    /// The trends of industries and countries.
    pub async fn show_trends(
        &self,
        call: &Call,
        question: &AnalyticsQuestion,
        count: i64,
    ) -> Result<RiskTrends, Fault> {
        let sample = self.sample(question);
        let read = self.0.parts.database.read(call);
        let segments = analytics::segments(&read, call.tenant(), &sample, count).await?;
        let totals = analytics::totals(&read, call.tenant(), &sample).await?;
        Ok(RiskTrends { trends: segments.iter().map(shown).collect(), summary: summary(&totals) })
    }

    /// The assessments that a question is about.
    pub(crate) fn sample(&self, question: &AnalyticsQuestion) -> Sample {
        let (since, middle) = question.timeframe.before(self.0.parts.clock.now());
        Sample {
            since,
            middle,
            industry: question.industry.clone().unwrap_or_default(),
            country: question.country.as_ref().map(|code| code.to_ascii_uppercase()).unwrap_or_default(),
            level: question.risk_level.unwrap_or_default().to_owned(),
        }
    }
}

fn shown(segment: &Segment) -> SegmentTrend {
    let change = change_percent(segment);
    SegmentTrend {
        industry: segment.industry.clone(),
        country: segment.country.clone(),
        average_risk_score: segment.mean,
        trend_direction: change.map(|change| match change {
            more if more > CHANGE_PERCENT_MIN => Trend::Deteriorating,
            less if less < -CHANGE_PERCENT_MIN => Trend::Improving,
            _ => Trend::Stable,
        }),
        change_percentage: change,
        sample_size: segment.count,
    }
}

/// By how much the later half is above the earlier one, in percent; none without both.
pub(crate) fn change_percent(segment: &Segment) -> Option<f64> {
    let (earlier, later) = segment.earlier.mean.zip(segment.later.mean)?;
    (earlier > 0.0).then(|| 100.0 * (later - earlier) / earlier)
}

fn summary(totals: &Totals) -> TrendSummary {
    TrendSummary {
        total_assessments: totals.count,
        average_risk_score: totals.mean,
        high_risk_percentage: percent(totals.high, totals.count),
        is_sampled: totals.is_cut,
    }
}

/// A share in percent; none of nothing.
pub(crate) fn percent(part: i64, all: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "at most 20,000 assessments")]
    let share = 100.0 * part as f64 / all as f64;
    (all > 0).then_some(share)
}
