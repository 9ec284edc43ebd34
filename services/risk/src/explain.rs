//! Explains a score: what each feature adds to it, exactly.

use pando_service::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Risk;
use crate::domain::ids;
use crate::model::FEATURES;

/// The part of one feature in a score.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeatureContribution {
    /// The feature.
    pub feature_name: String,
    /// Its value; null if it is missing.
    pub value: Option<f64>,
    /// The amount that it adds to the log-odds.
    pub contribution: f64,
    /// Its share of all that features add and take away, from 0 to 1.
    pub weight: f64,
    /// A sentence about it.
    pub description: String,
    /// How much the assessment can be relied on.
    pub confidence: f64,
}

/// The explanation of a score.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScoreExplanation {
    /// The score: `1 / (1 + exp(-log_odds))`.
    pub overall_risk_score: f64,
    /// The log-odds of the score: `base`, and then each contribution in the order of this list, added one after the other as
    /// numbers of 64 bits, give exactly this.
    pub log_odds: f64,
    /// The log-odds without any feature.
    pub base: f64,
    /// The part of each feature, in the order in which the parts are added.
    pub feature_contributions: Vec<FeatureContribution>,
    /// The same by name.
    pub shap_values: BTreeMap<String, f64>,
    /// A sentence.
    pub explanation_summary: String,
}

/// The explanation of an assessment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// The assessment.
    pub assessment_id: String,
    /// The explanation of its score.
    pub explanation: ScoreExplanation,
    /// When the assessment was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl Risk {
    /// Explains the score of an assessment by what was stored with it.
    pub async fn explain(&self, call: &Call, id: Uuid) -> Result<Explanation, Fault> {
        let assessed = self.assessed(call, id).await?;
        let basis = &assessed.basis;
        let all: f64 = basis.contributions.iter().map(|contribution| contribution.abs()).sum();
        let contributions: Vec<FeatureContribution> = FEATURES
            .iter()
            .zip(&basis.contributions)
            .zip(&basis.features)
            .map(|((spec, contribution), value)| FeatureContribution {
                feature_name: spec.name.to_owned(),
                value: *value,
                contribution: *contribution,
                weight: if all > 0.0 { contribution.abs() / all } else { 0.0 },
                description: spec.description.to_owned(),
                confidence: assessed.confidence,
            })
            .collect();
        let log_odds = basis.contributions.iter().fold(basis.base, |sum, contribution| sum + contribution);
        let shap_values =
            contributions.iter().map(|one| (one.feature_name.clone(), one.contribution)).collect();
        let explanation_summary = summary(&contributions);
        let explanation = ScoreExplanation {
            overall_risk_score: assessed.score,
            log_odds,
            base: basis.base,
            feature_contributions: contributions,
            shap_values,
            explanation_summary,
        };
        Ok(Explanation {
            assessment_id: ids::ASSESSMENT.show(id),
            explanation,
            created_at: assessed.created_at,
        })
    }
}

fn summary(contributions: &[FeatureContribution]) -> String {
    let most = |sign: f64| {
        let one =
            contributions.iter().max_by(|a, b| (sign * a.contribution).total_cmp(&(sign * b.contribution)));
        one.filter(|one| sign * one.contribution > 0.0).map(|one| one.feature_name.as_str())
    };
    match (most(1.0), most(-1.0)) {
        (Some(up), Some(down)) => format!("{up} raises the risk most, and {down} lowers it most."),
        (Some(up), None) => format!("{up} raises the risk most, and nothing lowers it."),
        (None, Some(down)) => format!("{down} lowers the risk most, and nothing raises it."),
        (None, None) => "No feature changes the risk.".to_owned(),
    }
}
