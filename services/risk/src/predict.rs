//! Predicts the score of an assessed business for another horizon, and in scenarios.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::assessment::Assessed;
use crate::domain::business::ModelChoice;
use crate::domain::events;
use crate::domain::factors::RiskFactor;
use crate::domain::ids;
use crate::domain::scenarios::{Scenario, position};
use crate::domain::trend::{ScoreTrend, Trend};
use crate::outlook::{Outlook, ScenarioScore, Scored, months_later};
use crate::rules::Level;
use crate::store::predictions::{self, PredictionRow};
use crate::{Risk, no_assessment, store};

/// The months of a request that names none.
const HORIZON_DEFAULT: u8 = 3;
/// How many earlier assessments a trend is made of.
const HISTORY_MAX: usize = 100;
/// How many factors are called key factors.
const KEY_FACTORS_MAX: usize = 5;
/// A smaller change of a contribution is none.
const CHANGE_MIN: f64 = 0.01;

/// A scenario in the older of its published forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PredictedScenario {
    /// The scenario.
    pub name: String,
    /// The score.
    pub score: f64,
    /// How high that is.
    pub level: Level,
    /// How much the score can be relied on.
    pub confidence: f64,
}

/// A feature that counts much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyFactor {
    /// The feature.
    pub factor: String,
    /// The amount that it adds to the log-odds of the score.
    pub impact: f64,
    /// Its course since the assessment before; null if there is none, or another model made it.
    pub trend: Option<Trend>,
}

/// The prediction for a business.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Prediction {
    /// The assessment whose features it is made of.
    pub assessment_id: String,
    /// The business.
    pub business_id: String,
    /// For how many months it looks ahead.
    pub horizon_months: u8,
    /// The score then.
    pub predicted_score: f64,
    /// How high that is.
    pub predicted_level: Level,
    /// How much the score can be relied on.
    pub confidence_score: f64,
    /// The scenarios.
    pub scenarios: Vec<PredictedScenario>,
    /// The same scenarios in more words.
    pub scenario_analysis: Vec<ScenarioScore>,
    /// The course of the earlier scores; null unless the request asks for it with `include_temporal_analysis`, or says nothing.
    pub trend_analysis: Option<ScoreTrend>,
    /// The features that count most.
    pub key_factors: Vec<KeyFactor>,
    /// The factors of the score, as an assessment has them.
    pub risk_factors: Vec<RiskFactor>,
    /// The moment that the prediction is about.
    #[schema(value_type = String, format = DateTime)]
    pub prediction_date: Timestamp,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Counts the changes of the prediction for this assessment and horizon.
    pub version: i64,
    /// The model.
    #[schema(value_type = Object)]
    pub metadata: Value,
}

/// The question of a request for one prediction.
struct Question {
    horizon_months: u8,
    scenarios: Vec<Scenario>,
    choice: Option<ModelChoice>,
    with_trend: bool,
}

impl Risk {
    /// Scores the stored features of an assessment for another horizon, and keeps the prediction. If it differs from the
    /// one that was kept before, an event says so.
    pub async fn predict(
        &self,
        call: &Call,
        id: Uuid,
        fields: &Map<String, Value>,
    ) -> Result<Written<Prediction>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let question = Question::read(fields)?;
            let read = self.0.parts.database.read(call);
            let assessed = store::find(&read, call.tenant(), id).await?.ok_or_else(no_assessment)?;
            let history = store::of_business(&read, call.tenant(), assessed.business_id, HISTORY_MAX).await?;
            let mut prediction = self.prediction(&assessed, &history, &question)?;
            let mut write = turn.begin().await?;
            let place = (id, prediction.horizon_months);
            let kept = predictions::lock(&mut write.tx, call.tenant(), place).await?;
            let is_new = kept.as_ref().is_none_or(|kept| {
                kept.score.to_bits() != prediction.predicted_score.to_bits()
                    || prediction.metadata["model_type"] != kept.model_type
                    || prediction.metadata["model_version"] != kept.model_version
            });
            prediction.version = kept.map_or(0, |kept| kept.version) + i64::from(is_new);
            if is_new {
                predictions::put(&mut write.tx, call.tenant(), &row_of(id, &prediction));
                write.created(events::predicted(id, event_of(&assessed, &prediction)));
            }
            write.done(prediction)
        });
        write.await
    }

    fn prediction(
        &self,
        assessed: &Assessed,
        history: &[Assessed],
        question: &Question,
    ) -> Result<Prediction, Fault> {
        let now = self.0.parts.clock.now();
        let months = question.horizon_months;
        let choice = question.choice.unwrap_or(assessed.business.model_type);
        let outlook = Outlook::of(assessed, choice);
        let scored = self.scored(&outlook, months)?;
        let scenarios = self.scored_scenarios(&outlook, (&question.scenarios, months, &scored))?;
        let scores = history.iter().map(|one| (one.created_at, one.score));
        let trend = question.with_trend.then(|| ScoreTrend::of(scores));
        Ok(Prediction {
            assessment_id: ids::ASSESSMENT.show(assessed.id),
            business_id: ids::BUSINESS.show(assessed.business_id),
            horizon_months: months,
            predicted_score: scored.evaluation.score,
            predicted_level: scored.level,
            confidence_score: scored.evaluation.confidence,
            scenarios: scenarios
                .iter()
                .map(|one| PredictedScenario {
                    name: one.scenario_name.clone(),
                    score: one.risk_score,
                    level: one.risk_level,
                    confidence: one.confidence_score,
                })
                .collect(),
            scenario_analysis: scenarios,
            trend_analysis: trend,
            key_factors: key_factors(assessed, history, &scored, now),
            risk_factors: scored.factors(now),
            prediction_date: months_later(now, months),
            created_at: now,
            version: 0,
            metadata: json!({
                "model_type": scored.kind.name(), "model_version": scored.model_version,
                "assessed_at": assessed.created_at,
            }),
        })
    }
}

impl Question {
    fn read(fields: &Map<String, Value>) -> Result<Self, Fault> {
        let mut reader = FieldReader::new(fields);
        let horizon_months = match fields.get("horizon_months") {
            None | Some(Value::Null) => HORIZON_DEFAULT,
            Some(given) => months(given).unwrap_or_else(|| {
                let message = "must be a whole number of months from 1 to 24";
                reader.refuse("horizon_months", "INVALID_PREDICTION_HORIZON", message);
                HORIZON_DEFAULT
            }),
        };
        let scenarios = Scenario::read_all(fields, "scenarios", &mut reader);
        let choice = ModelChoice::read(fields, "model_type", &mut reader);
        let with_trend = match fields.get("include_temporal_analysis") {
            None | Some(Value::Null) => true,
            Some(_) => reader.flag("include_temporal_analysis"),
        };
        reader.finish()?;
        Ok(Self { horizon_months, scenarios, choice, with_trend })
    }
}

/// A horizon of 1 to 24 months.
pub(crate) fn months(given: &Value) -> Option<u8> {
    given.as_u64().filter(|months| (1..=24).contains(months)).and_then(|months| u8::try_from(months).ok())
}

/// The weightiest features, each with its course since the assessment before this one.
fn key_factors(assessed: &Assessed, history: &[Assessed], scored: &Scored, now: Timestamp) -> Vec<KeyFactor> {
    let before = history.iter().find(|one| one.id < assessed.id);
    let before = before.filter(|one| one.basis.model_hash == assessed.basis.model_hash);
    let course = |feature: &str| {
        let at = position(feature)?;
        let change = assessed.basis.contributions.get(at)? - before?.basis.contributions.get(at)?;
        Some(match change {
            more if more > CHANGE_MIN => Trend::Deteriorating,
            less if less < -CHANGE_MIN => Trend::Improving,
            _ => Trend::Stable,
        })
    };
    let factors = scored.factors(now).into_iter().take(KEY_FACTORS_MAX);
    factors.map(|one| KeyFactor { trend: course(&one.name), factor: one.name, impact: one.impact }).collect()
}

fn row_of(id: Uuid, prediction: &Prediction) -> PredictionRow<'_> {
    let text = |field: &str| prediction.metadata[field].as_str().unwrap_or_default();
    PredictionRow {
        assessment: id,
        horizon_months: prediction.horizon_months,
        score: prediction.predicted_score,
        level: prediction.predicted_level.name(),
        model_type: text("model_type"),
        model_version: text("model_version"),
        version: prediction.version,
        at: prediction.created_at,
    }
}

fn event_of(assessed: &Assessed, prediction: &Prediction) -> events::Predicted {
    events::Predicted {
        id: prediction.assessment_id.clone(),
        business_id: prediction.business_id.clone(),
        horizon_months: prediction.horizon_months,
        predicted_score: prediction.predicted_score,
        predicted_level: prediction.predicted_level,
        industry: assessed.business.industry.clone(),
        country: assessed.business.country.clone(),
        version: prediction.version,
    }
}
