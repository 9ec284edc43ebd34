//! An assessment: what was decided about a business, and everything that the decision stands on.

use pando_service::name_in;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::business::Business;
use super::factors::RiskFactor;
use super::facts::Facts;
use super::ids;
use crate::rules::{Decision, Level};

/// Where an assessment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AssessmentStatus {
    /// It is not done yet.
    Pending,
    /// It is done.
    Completed,
    /// It could not be done.
    Failed,
}

/// One reason for a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// A name for programs.
    pub code: String,
    /// A sentence for people.
    pub text: String,
    /// How much the reason counts, from 0 to 1.
    pub weight: f64,
}

/// The assessment of a business, as its callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Assessment {
    /// Its id.
    #[schema(pattern = "^risk_[0-9a-f]{32}$")]
    pub id: String,
    /// The business: the same name, address and country always have the same id.
    #[schema(pattern = "^biz_[0-9a-f]{32}$")]
    pub business_id: String,
    /// The name of the business.
    pub business_name: String,
    /// The probability of failure, from 0 to 1, as the model gives it.
    pub risk_score: f64,
    /// How high that is.
    pub risk_level: Level,
    /// The features that change the score most, the weightiest first.
    pub risk_factors: Vec<RiskFactor>,
    /// For how many months the score is meant.
    pub prediction_horizon: u8,
    /// How much the score can be relied on, from 0 to 1.
    pub confidence_score: f64,
    /// The decision of the rules.
    pub decision: Decision,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
    /// Where the assessment stands.
    pub status: AssessmentStatus,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// The model and the rules that decided, and the thresholds of levels.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Counts the changes.
    pub version: i64,
}

/// Everything that a decision stands on, as it is stored: with it the same decision can be made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Basis {
    /// The values of the features; null for those that are missing.
    pub(crate) features: Vec<Option<f64>>,
    /// The log-odds of the model without any feature, and what each feature adds.
    pub(crate) base: f64,
    pub(crate) contributions: Vec<f64>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) model_type: String,
    pub(crate) model_version: String,
    pub(crate) model_hash: String,
    pub(crate) ruleset_version: String,
    pub(crate) ruleset_hash: String,
    pub(crate) levels: [f64; 3],
    /// The facts of the decision; none of assessments from before they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) facts: Option<Facts>,
}

/// An assessment as its row has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assessed {
    pub(crate) id: Uuid,
    pub(crate) user: String,
    pub(crate) business_id: Uuid,
    pub(crate) business: Business,
    pub(crate) status: AssessmentStatus,
    pub(crate) score: f64,
    pub(crate) level: Level,
    pub(crate) confidence: f64,
    pub(crate) decision: Decision,
    pub(crate) basis: Basis,
    pub(crate) factors: Vec<RiskFactor>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) version: i64,
}

impl AssessmentStatus {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("pending", Self::Pending), ("completed", Self::Completed), ("failed", Self::Failed)];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }
}

impl Assessed {
    /// The assessment as its callers see it.
    pub(crate) fn shown(&self) -> Assessment {
        let Basis { model_type, model_version, model_hash, ruleset_version, ruleset_hash, levels, .. } =
            &self.basis;
        let metadata = serde_json::json!({
            "model_type": model_type, "model_version": model_version, "model_hash": model_hash,
            "ruleset_version": ruleset_version, "ruleset_hash": ruleset_hash,
            "prediction_horizon": self.business.prediction_horizon,
            "levels": {"medium": levels[0], "high": levels[1], "critical": levels[2]},
        });
        Assessment {
            id: ids::ASSESSMENT.show(self.id),
            business_id: ids::BUSINESS.show(self.business_id),
            business_name: self.business.business_name.clone(),
            risk_score: self.score,
            risk_level: self.level,
            risk_factors: self.factors.clone(),
            prediction_horizon: self.business.prediction_horizon,
            confidence_score: self.confidence,
            decision: self.decision,
            reasons: self.basis.reasons.clone(),
            status: self.status,
            created_at: self.created_at,
            updated_at: self.updated_at,
            metadata,
            version: self.version,
        }
    }
}
