//! The outlook of a business: its features scored for other horizons, in scenarios, and by other models.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Risk;
use crate::decide::no_model;
use crate::domain::assessment::Assessed;
use crate::domain::business::ModelChoice;
use crate::domain::factors::{Part, RiskFactor, factors};
use crate::domain::scenarios::{Scenario, position};
use crate::model::{Evaluation, FEATURE_COUNT, FEATURES, Features, ModelType};
use crate::rules::{Level, Levels};

/// The mean month of the calendar, in microseconds.
const MONTH_MICROS: i64 = 2_629_746_000_000;

/// Features and the thresholds of levels for them.
#[derive(Clone, Debug)]
pub(crate) struct Outlook {
    pub(crate) values: Features,
    pub(crate) levels: Levels,
    pub(crate) choice: ModelChoice,
}

/// A score for one horizon.
#[derive(Clone, Debug)]
pub(crate) struct Scored {
    pub(crate) kind: ModelType,
    pub(crate) model_version: String,
    pub(crate) evaluation: Evaluation,
    pub(crate) level: Level,
    /// The addition of each feature to the log-odds.
    pub(crate) contributions: [f64; FEATURE_COUNT],
}

/// The score of a business in a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScenarioScore {
    /// The scenario.
    pub scenario_name: String,
    /// The changes that it stands for.
    pub description: String,
    /// The score.
    pub risk_score: f64,
    /// How high that is.
    pub risk_level: Level,
    /// The chance of the scenario, as the request says it; null if it says none, because nothing here can know it.
    pub probability: Option<f64>,
    /// `positive` if the scenario lowers the score, `negative` if it raises it, or `none`.
    pub impact: String,
    /// The score in the scenario, less the score without it.
    pub score_difference: f64,
    /// How much the score can be relied on.
    pub confidence_score: f64,
}

impl Outlook {
    /// The features that an assessment was made of, and its thresholds.
    pub(crate) fn of(assessed: &Assessed, choice: ModelChoice) -> Self {
        let mut values = [f64::NAN; FEATURE_COUNT];
        for (value, stored) in values.iter_mut().zip(&assessed.basis.features) {
            *value = stored.unwrap_or(f64::NAN);
        }
        let [medium, high, critical] = assessed.basis.levels;
        Self { values, levels: Levels { medium, high, critical }, choice }
    }

    /// The same business, looked at so many months ahead.
    pub(crate) fn at(&self, horizon_months: u8) -> Self {
        let mut outlook = self.clone();
        if let Some(at) = position("horizon_months") {
            outlook.values[at] = FEATURES[at].value(f64::from(horizon_months));
        }
        outlook
    }

    /// The same business in a scenario.
    pub(crate) fn within(&self, scenario: &Scenario) -> Self {
        Self { values: scenario.applied(&self.values), ..self.clone() }
    }
}

impl Risk {
    /// Scores an outlook for a horizon.
    pub(crate) fn scored(&self, outlook: &Outlook, horizon_months: u8) -> Result<Scored, Fault> {
        self.scored_by(outlook.choice.kind(horizon_months), &outlook.at(horizon_months))
    }

    /// Scores an outlook as it is by one type of model.
    pub(crate) fn scored_by(&self, kind: ModelType, outlook: &Outlook) -> Result<Scored, Fault> {
        let model = self.0.models.current(kind).map_err(|error| {
            self.0.measured.failed(kind);
            no_model(error)
        })?;
        let values = &outlook.values;
        let (evaluation, explanation) = self.0.measured.time(kind, || model.scored(values));
        Ok(Scored {
            kind,
            model_version: model.version(),
            evaluation,
            level: outlook.levels.of(evaluation.score),
            contributions: explanation.contributions,
        })
    }

    /// The scores of scenarios beside the score without any.
    pub(crate) fn scored_scenarios(
        &self,
        outlook: &Outlook,
        (scenarios, horizon_months, base): (&[Scenario], u8, &Scored),
    ) -> Result<Vec<ScenarioScore>, Fault> {
        let scored = scenarios.iter().map(|scenario| {
            let scored = self.scored(&outlook.within(scenario), horizon_months)?;
            let difference = scored.evaluation.score - base.evaluation.score;
            let impact = match difference {
                more if more > 0.0 => "negative",
                less if less < 0.0 => "positive",
                _ => "none",
            };
            Ok(ScenarioScore {
                scenario_name: scenario.name.clone(),
                description: scenario.description.clone(),
                risk_score: scored.evaluation.score,
                risk_level: scored.level,
                probability: scenario.probability,
                impact: impact.to_owned(),
                score_difference: difference,
                confidence_score: scored.evaluation.confidence,
            })
        });
        scored.collect()
    }
}

impl Scored {
    /// The factors of the score, the weightiest first.
    pub(crate) fn factors(&self, at: Timestamp) -> Vec<RiskFactor> {
        let source = format!("model {} {}", self.kind, self.model_version);
        factors(FEATURES.iter().zip(self.contributions).map(|(spec, contribution)| Part {
            feature: spec.name,
            description: spec.description,
            contribution,
            source: &source,
            confidence: self.evaluation.confidence,
            at,
        }))
    }
}

/// The moment that a prediction is about. A month is a twelfth of the mean year of the calendar.
pub(crate) fn months_later(from: Timestamp, months: u8) -> Timestamp {
    from.plus_micros(i64::from(months) * MONTH_MICROS)
}
