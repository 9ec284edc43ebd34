//! The assessments of one business over time.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::assessment::Assessed;
use crate::domain::ids;
use crate::domain::trend::Trend;
use crate::rules::Level;
use crate::{Risk, store};

/// How many assessments a history has.
const COUNT_MAX: usize = 100;
/// A smaller change of a score or a confidence is none.
const CHANGE_MIN: f64 = 0.02;

/// One assessment of a history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PastAssessment {
    /// Its id.
    pub id: String,
    /// Its score.
    pub risk_score: f64,
    /// Its level.
    pub risk_level: Level,
    /// How much it can be relied on.
    pub confidence_score: f64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The course of the assessments of a business, from the first of them to the last.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Trends {
    /// That of the scores.
    pub score_trend: Trend,
    /// That of the levels.
    pub level_trend: Trend,
    /// That of the confidence.
    pub confidence_trend: Trend,
}

/// The assessments of one business.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AssessmentHistory {
    /// The business.
    pub business_id: String,
    /// Its latest assessments, the newest first.
    pub assessments: Vec<PastAssessment>,
    /// Their course.
    pub trends: Trends,
}

impl Risk {
    /// The latest assessments of the business of an assessment.
    pub async fn assessment_history(&self, call: &Call, id: Uuid) -> Result<AssessmentHistory, Fault> {
        let business = self.assessed(call, id).await?.business_id;
        let read = self.0.parts.database.read(call);
        let found = store::of_business(&read, call.tenant(), business, COUNT_MAX).await?;
        Ok(AssessmentHistory {
            business_id: ids::BUSINESS.show(business),
            trends: trends(&found),
            assessments: found.iter().map(past).collect(),
        })
    }
}

fn past(assessed: &Assessed) -> PastAssessment {
    PastAssessment {
        id: ids::ASSESSMENT.show(assessed.id),
        risk_score: assessed.score,
        risk_level: assessed.level,
        confidence_score: assessed.confidence,
        created_at: assessed.created_at,
    }
}

/// The last assessment beside the mean of those before; one alone is stable.
fn trends(found: &[Assessed]) -> Trends {
    let Some((last, before)) = found.split_first().filter(|(_, before)| !before.is_empty()) else {
        return Trends {
            score_trend: Trend::Stable,
            level_trend: Trend::Stable,
            confidence_trend: Trend::Stable,
        };
    };
    #[expect(clippy::cast_precision_loss, reason = "a hundred assessments at most")]
    let mean = |value: fn(&Assessed) -> f64| before.iter().map(value).sum::<f64>() / before.len() as f64;
    let level = |assessed: &Assessed| f64::from(assessed.level as u8);
    Trends {
        score_trend: trend(last.score - mean(|one| one.score)),
        level_trend: trend(level(last) - mean(|one| f64::from(one.level as u8))),
        confidence_trend: trend(mean(|one| one.confidence) - last.confidence),
    }
}

/// The trend of a change, of which more is worse.
fn trend(worse: f64) -> Trend {
    match () {
        () if worse > CHANGE_MIN => Trend::Deteriorating,
        () if worse < -CHANGE_MIN => Trend::Improving,
        () => Trend::Stable,
    }
}
