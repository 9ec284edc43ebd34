//! Predicts the score of a business for several horizons, and compares the models. Nothing is kept.

use std::collections::BTreeMap;
use std::time::Instant;

use pando_service::Class;
use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::Risk;
use crate::advanced::comparison::{HorizonComparison, ModelComparison};
use crate::advanced::confidence::{ConfidenceAnalysis, Predicted};
use crate::advanced::temporal::TemporalAnalysis;
use crate::decide::inputs;
use crate::domain::assessment::Assessed;
use crate::domain::business::{Business, ModelChoice};
use crate::domain::factors::RiskFactor;
use crate::domain::ids;
use crate::domain::scenarios::Scenario;
use crate::model::{Inputs, ModelType, features};
use crate::outlook::{Outlook, ScenarioScore, months_later};
use crate::predict::months;
use crate::rules::Level;
use crate::store;

/// How many horizons a request may have.
const HORIZONS_MAX: usize = 5;
/// How many earlier assessments a trend is made of.
const HISTORY_MAX: usize = 100;
const THRESHOLD_DEFAULT: f64 = 0.6;

/// The prediction for one horizon.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HorizonPrediction {
    /// For how many months it looks ahead.
    pub horizon_months: u8,
    /// The model that scored.
    pub model_type: String,
    /// The score then.
    pub predicted_score: f64,
    /// How high that is.
    pub predicted_level: Level,
    /// How much the score can be relied on.
    pub confidence_score: f64,
    /// The features that change the score most.
    pub risk_factors: Vec<RiskFactor>,
    /// The scenarios; empty unless `include_scenario_analysis` asks for them.
    pub scenario_analysis: Vec<ScenarioScore>,
    /// The moment that the prediction is about.
    #[schema(value_type = String, format = DateTime)]
    pub prediction_date: Timestamp,
    /// The model: its name, version, hash, and the figures of its card.
    #[schema(value_type = Object)]
    pub model_info: Value,
    /// The thresholds of levels.
    #[schema(value_type = Object)]
    pub metadata: Value,
}

/// A scenario for one horizon.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HorizonScenario {
    /// The scenario.
    pub scenario_name: String,
    /// The changes that it stands for.
    pub description: String,
    /// The chance of the scenario, as the request says it; null if it says none.
    pub probability: Option<f64>,
    /// The score.
    pub risk_score: f64,
    /// How high that is.
    pub risk_level: Level,
    /// `positive` if the scenario lowers the score, `negative` if it raises it, or `none`.
    pub impact: String,
    /// For how many months it looks ahead.
    pub time_horizon: u8,
    /// The features that count most in it.
    pub key_factors: Vec<String>,
    /// The ways to lower the risk that the factors name.
    pub mitigation_strategies: Vec<String>,
}

/// Predictions for several horizons.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdvancedPrediction {
    /// An id of this answer.
    pub request_id: String,
    /// The business.
    pub business_id: String,
    /// Each horizon with its prediction.
    pub predictions: BTreeMap<String, HorizonPrediction>,
    /// The models beside each other; null unless `include_model_comparison` asks for it.
    pub model_comparison: Option<ModelComparison>,
    /// The course of earlier scores; null unless `include_temporal_analysis` asks for it.
    pub temporal_analysis: Option<TemporalAnalysis>,
    /// The scenarios for each horizon; empty unless `include_scenario_analysis` asks for them.
    pub scenario_analysis: Vec<HorizonScenario>,
    /// How much the predictions can be relied on.
    pub confidence_analysis: ConfidenceAnalysis,
    /// How long the answer took, in nanoseconds.
    pub processing_time: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub generated_at: Timestamp,
    /// The options that counted.
    #[schema(value_type = Object)]
    pub metadata: Value,
}

/// The question of a request for predictions of several horizons.
struct Question {
    business: Business,
    horizons: Vec<u8>,
    with_trend: bool,
    with_scenarios: bool,
    with_comparison: bool,
    threshold: f64,
    scenarios: Vec<Scenario>,
}

impl Risk {
    /// Predicts the score of a business for several horizons.
    pub async fn predict_advanced(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<AdvancedPrediction, Fault> {
        let began = Instant::now();
        let question = Question::read(fields)?;
        let now = self.0.parts.clock.now();
        let business = &question.business;
        let history = self.history(call, &[business], now).await?.into_iter().next().unwrap_or_default();
        let read = self.0.parts.database.read(call);
        let earlier = match question.with_trend {
            true => store::of_business(&read, call.tenant(), business.id(), HISTORY_MAX).await?,
            false => Vec::new(),
        };
        let (risk, deadline, ground) = (self.clone(), call.deadline, self.present_ground(call).await?);
        let predicting = tokio::task::spawn_blocking(move || {
            let screened = risk.screened(&ground, &question.business)?;
            let history = crate::model::HistoryInputs { screened, ..history };
            let values = features(&Inputs { business: inputs(&question.business), history });
            let outlook = Outlook {
                values,
                levels: ground.levels(&question.business)?,
                choice: question.business.model_type,
            };
            risk.answer(&question, &outlook, (&earlier, now, &|| deadline.is_past()))
        });
        let mut answer = predicting.await.map_err(Fault::internal)??;
        answer.processing_time = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok(answer)
    }

    fn answer(
        &self,
        question: &Question,
        outlook: &Outlook,
        (earlier, now, is_late): (&[Assessed], Timestamp, &dyn Fn() -> bool),
    ) -> Result<AdvancedPrediction, Fault> {
        let mut predictions = BTreeMap::new();
        let (mut in_scenarios, mut compared, mut predicted) = (Vec::new(), BTreeMap::new(), Vec::new());
        for months in question.horizons.iter().copied() {
            if is_late() {
                return Err(Fault::new(Class::Timeout, "the predictions were not made in time"));
            }
            let prediction = self.horizon(question, outlook, (months, now))?;
            if question.with_scenarios {
                in_scenarios.extend(self.horizon_scenarios(question, outlook, (&prediction, now))?);
            }
            compared.insert(months, self.compared(outlook, months)?);
            predicted.push(Predicted {
                months,
                confidence: prediction.confidence_score,
                calibration: self.model_of(&prediction)?.card().calibration_score(),
            });
            predictions.insert(months.to_string(), prediction);
        }
        let confidence_analysis = ConfidenceAnalysis::of(&predicted, &compared, question.threshold);
        let measured = &self.0.measured;
        Ok(AdvancedPrediction {
            request_id: format!("adv_pred_{}", self.0.parts.clock.fresh_id().simple()),
            business_id: ids::BUSINESS.show(question.business.id()),
            predictions,
            model_comparison: question.with_comparison.then(|| ModelComparison::of(&compared, measured)),
            temporal_analysis: question.with_trend.then(|| TemporalAnalysis::of(earlier)),
            scenario_analysis: in_scenarios,
            confidence_analysis,
            processing_time: 0,
            generated_at: now,
            metadata: json!({
                "model_preference": question.business.model_type, "confidence_threshold": question.threshold,
            }),
        })
    }

    fn horizon(
        &self,
        question: &Question,
        outlook: &Outlook,
        (months, now): (u8, Timestamp),
    ) -> Result<HorizonPrediction, Fault> {
        let scored = self.scored(outlook, months)?;
        let scenarios: &[Scenario] = if question.with_scenarios { &question.scenarios } else { &[] };
        let model = self.0.models.current(scored.kind).map_err(crate::decide::no_model)?;
        let info = model.info();
        Ok(HorizonPrediction {
            horizon_months: months,
            model_type: scored.kind.name().to_owned(),
            predicted_score: scored.evaluation.score,
            predicted_level: scored.level,
            confidence_score: scored.evaluation.confidence,
            risk_factors: scored.factors(now),
            scenario_analysis: self.scored_scenarios(outlook, (scenarios, months, &scored))?,
            prediction_date: months_later(now, months),
            model_info: json!({
                "name": info.name, "type": info.kind, "version": info.version, "hash": model.hash(),
                "training_date": info.training_date, "accuracy": info.accuracy, "precision": info.precision,
                "recall": info.recall, "f1_score": info.f1_score,
            }),
            metadata: json!({"levels": outlook.levels}),
        })
    }

    fn horizon_scenarios(
        &self,
        question: &Question,
        outlook: &Outlook,
        (prediction, now): (&HorizonPrediction, Timestamp),
    ) -> Result<Vec<HorizonScenario>, Fault> {
        let months = prediction.horizon_months;
        let each = question.scenarios.iter().zip(&prediction.scenario_analysis).map(|(scenario, scored)| {
            let factors = self.scored(&outlook.within(scenario), months)?.factors(now);
            let mut mitigations: Vec<String> = Vec::new();
            for factor in factors.iter().filter(|factor| !factor.mitigation.is_empty()) {
                if !mitigations.contains(&factor.mitigation) {
                    mitigations.push(factor.mitigation.clone());
                }
            }
            Ok(HorizonScenario {
                scenario_name: scored.scenario_name.clone(),
                description: scored.description.clone(),
                probability: scored.probability,
                risk_score: scored.risk_score,
                risk_level: scored.risk_level,
                impact: scored.impact.clone(),
                time_horizon: months,
                key_factors: factors.into_iter().take(5).map(|factor| factor.name).collect(),
                mitigation_strategies: mitigations,
            })
        });
        each.collect()
    }

    /// All models for one horizon. The best one is the one with the lowest Brier score on held-out rows of such horizons.
    fn compared(&self, outlook: &Outlook, months: u8) -> Result<HorizonComparison, Fault> {
        let at = outlook.at(months);
        let each = ModelType::ALL.map(|kind| {
            let scored = self.scored_by(kind, &at)?;
            let model = self.0.models.current(kind).map_err(crate::decide::no_model)?;
            Ok::<_, Fault>((scored, model.card().brier(months)))
        });
        let [trees, sequence, ensemble] = each;
        Ok(HorizonComparison::of(&[trees?, sequence?, ensemble?]))
    }

    fn model_of(&self, prediction: &HorizonPrediction) -> Result<std::sync::Arc<crate::model::Model>, Fault> {
        let kind: ModelType = prediction.model_type.parse().map_err(crate::decide::no_model)?;
        self.0.models.current(kind).map_err(crate::decide::no_model)
    }
}

impl Question {
    fn read(fields: &Map<String, Value>) -> Result<Self, Fault> {
        let mut reader = FieldReader::new(fields);
        let horizons = horizons(fields, &mut reader);
        let choice = ModelChoice::read(fields, "model_preference", &mut reader);
        let [with_trend, with_scenarios, with_comparison] =
            ["include_temporal_analysis", "include_scenario_analysis", "include_model_comparison"]
                .map(|field| reader.flag(field));
        let threshold = match fields.get("confidence_threshold") {
            None | Some(Value::Null) => Some(THRESHOLD_DEFAULT),
            Some(given) => given.as_f64().filter(|share| (0.0..=1.0).contains(share)),
        };
        if threshold.is_none() {
            reader.refuse("confidence_threshold", "INVALID_INPUT", "must be a number from 0 to 1");
        }
        let mut scenarios = Scenario::usual();
        if fields.get("custom_scenarios").is_some_and(|given| !given.is_null()) {
            scenarios.extend(Scenario::read_all(fields, "custom_scenarios", &mut reader));
        }
        let mut business = Business::read_with(fields, reader)?;
        business.model_type = choice.unwrap_or(business.model_type);
        let threshold = threshold.unwrap_or(THRESHOLD_DEFAULT);
        Ok(Self { business, horizons, with_trend, with_scenarios, with_comparison, threshold, scenarios })
    }
}

/// One to five horizons, each once.
fn horizons(fields: &Map<String, Value>, reader: &mut FieldReader<'_>) -> Vec<u8> {
    let given = fields.get("prediction_horizons").and_then(Value::as_array);
    let found: Option<Vec<u8>> = given
        .filter(|items| (1..=HORIZONS_MAX).contains(&items.len()))
        .and_then(|items| items.iter().map(months).collect());
    if found.is_none() {
        let message = "must be one to five whole numbers of months from 1 to 24";
        reader.refuse("prediction_horizons", "INVALID_HORIZON", message);
    }
    let mut horizons = found.unwrap_or_default();
    horizons.sort_unstable();
    horizons.dedup();
    horizons
}
