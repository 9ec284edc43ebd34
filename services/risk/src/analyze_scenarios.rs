//! Simulates the score of a business many times with noise in its figures, and scores stress cases.

use pando_service::Class;
use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::assessment::Assessed;
use crate::domain::business::ModelChoice;
use crate::domain::ids;
use crate::domain::noise::Noise;
use crate::domain::scenarios::Scenario;
use crate::outlook::{Outlook, ScenarioScore};
use crate::predict::months;
use crate::rules::{Level, Levels};
use crate::{Risk, no_assessment, store};

/// How many runs a request has unless it says otherwise, and at most.
const RUNS_MAX: u32 = 10_000;
const HORIZON_DEFAULT: u8 = 12;
/// JSON in browsers has whole numbers up to this one.
const SEED_MAX: u64 = (1 << 53) - 1;
/// After so many runs the deadline is looked at.
const RUNS_AT_ONCE: usize = 100;
const PERCENTILES: [(&str, usize); 8] = [
    ("5th", 5),
    ("10th", 10),
    ("25th", 25),
    ("50th", 50),
    ("75th", 75),
    ("90th", 90),
    ("95th", 95),
    ("99th", 99),
];

/// A feature that varied.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VariedFeature {
    /// The feature.
    pub feature: String,
    /// The standard deviation of its noise, in the unit of the feature.
    pub standard_deviation: f64,
}

/// The outcome of all runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Simulation {
    /// How many runs there were.
    pub runs: usize,
    /// With this seed the same request gets the same results, byte for byte.
    pub seed: u64,
    /// The mean score.
    pub mean_risk_score: f64,
    /// The standard deviation of the scores.
    pub standard_deviation: f64,
    /// Scores that so many percent of the runs do not exceed: `5th`, `10th`, `25th`, `50th`, `75th`, `90th`, `95th` and `99th`.
    pub percentiles: BTreeMap<String, f64>,
    /// The share of runs in each level.
    pub level_distribution: BTreeMap<String, f64>,
    /// The features that varied. With none of them known, every run has the same score.
    pub varied_features: Vec<VariedFeature>,
}

/// The scores of the stress cases.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StressTest {
    /// Revenue is halved, and more.
    pub crisis_scenario: ScenarioScore,
    /// Revenue is half as high again, and more.
    pub recovery_scenario: ScenarioScore,
}

/// The analysis of scenarios.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScenarioAnalysis {
    /// The business.
    pub business_id: String,
    /// The assessment whose features it is made of.
    pub assessment_id: String,
    /// For how many months it looks ahead.
    pub time_horizon: u8,
    /// The model that scored.
    pub model_type: String,
    /// Its version.
    pub model_version: String,
    /// The score without noise.
    pub base_risk_score: f64,
    /// The runs.
    pub monte_carlo_results: Simulation,
    /// The scenarios of the request, or the usual three.
    pub scenarios: Vec<ScenarioScore>,
    /// The stress cases.
    pub stress_test_results: StressTest,
}

/// The question of a request for a simulation.
struct Question {
    subject: Subject,
    scenarios: Vec<Scenario>,
    runs: u32,
    months: u8,
    seed: Option<u64>,
    choice: Option<ModelChoice>,
}

/// The business, or one of its assessments.
enum Subject {
    Business(Uuid),
    Assessment(Uuid),
}

impl Risk {
    /// Analyses scenarios for a business by the features of its last assessment.
    pub async fn analyze_scenarios(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<ScenarioAnalysis, Fault> {
        let question = Question::read(fields)?;
        let assessed = self.subject(call, &question.subject).await?;
        let (risk, deadline) = (self.clone(), call.deadline);
        let seed = question.seed.unwrap_or_else(|| self.fresh_seed());
        let analysis = tokio::task::spawn_blocking(move || {
            risk.analysis(&assessed, &question, seed, &|| deadline.is_past())
        });
        analysis.await.map_err(Fault::internal)?
    }

    async fn subject(&self, call: &Call, subject: &Subject) -> Result<Assessed, Fault> {
        match subject {
            Subject::Assessment(id) => self.assessed(call, *id).await,
            Subject::Business(id) => {
                let read = self.0.parts.database.read(call);
                let found = store::of_business(&read, call.tenant(), *id, 1).await?;
                found.into_iter().next().ok_or_else(no_assessment)
            }
        }
    }

    /// A seed that no other request has: the random part of a fresh id.
    fn fresh_seed(&self) -> u64 {
        let (_, low) = self.0.parts.clock.fresh_id().as_u64_pair();
        low & SEED_MAX
    }

    fn analysis(
        &self,
        assessed: &Assessed,
        question: &Question,
        seed: u64,
        is_late: &dyn Fn() -> bool,
    ) -> Result<ScenarioAnalysis, Fault> {
        let choice = question.choice.unwrap_or(assessed.business.model_type);
        let outlook = Outlook::of(assessed, choice).at(question.months);
        let base = self.scored(&outlook, question.months)?;
        let mut noise = Noise::new(seed, &outlook.values, question.months);
        let model = self.0.models.current(base.kind).map_err(crate::decide::no_model)?;
        let mut scores = Vec::with_capacity(question.runs as usize);
        for run in 0..question.runs as usize {
            if run % RUNS_AT_ONCE == 0 && is_late() {
                return Err(Fault::new(
                    Class::Timeout,
                    "the simulation was not done in time: ask for fewer runs",
                ));
            }
            scores.push(model.evaluate(&noise.next(&outlook.values)).score);
        }
        let varied = noise.varied().map(|(feature, standard_deviation)| VariedFeature {
            feature: feature.to_owned(),
            standard_deviation,
        });
        let in_scenarios =
            |scenarios: &[Scenario]| self.scored_scenarios(&outlook, (scenarios, question.months, &base));
        let stress = |name: &str| {
            let known = Scenario::known(name).ok_or_else(|| Fault::internal("a stress case is missing"))?;
            let scored = in_scenarios(&[known])?.into_iter().next();
            scored.ok_or_else(|| Fault::internal("a stress case has no score"))
        };
        Ok(ScenarioAnalysis {
            business_id: ids::BUSINESS.show(assessed.business_id),
            assessment_id: ids::ASSESSMENT.show(assessed.id),
            time_horizon: question.months,
            model_type: base.kind.name().to_owned(),
            model_version: base.model_version.clone(),
            base_risk_score: base.evaluation.score,
            monte_carlo_results: summary(scores, seed, (&outlook.levels, varied.collect())),
            scenarios: in_scenarios(&question.scenarios)?,
            stress_test_results: StressTest {
                crisis_scenario: stress("crisis")?,
                recovery_scenario: stress("recovery")?,
            },
        })
    }
}

impl Question {
    fn read(fields: &Map<String, Value>) -> Result<Self, Fault> {
        let mut reader = FieldReader::new(fields);
        let text = |field: &str| fields.get(field).filter(|value| !value.is_null());
        let parsed = |value: &Value, form: IdForm| value.as_str().and_then(|text| form.parse(text));
        let subject = match (text("business_id"), text("assessment_id")) {
            (Some(id), None) => parsed(id, ids::BUSINESS).map(Subject::Business),
            (None, Some(id)) => parsed(id, ids::ASSESSMENT).map(Subject::Assessment),
            _ => {
                reader.refuse("business_id", "INVALID_INPUT", "give either business_id or assessment_id");
                None
            }
        };
        let months = match text("time_horizon") {
            None => HORIZON_DEFAULT,
            Some(given) => months(given).unwrap_or_else(|| {
                let message = "must be a whole number of months from 1 to 24";
                reader.refuse("time_horizon", "INVALID_PREDICTION_HORIZON", message);
                HORIZON_DEFAULT
            }),
        };
        let mut number = |field: &str, least: u64, greatest: u64| match text(field) {
            None => None,
            Some(given) => {
                let found = given.as_u64().filter(|number| (least..=greatest).contains(number));
                if found.is_none() {
                    let message = format!("must be a whole number from {least} to {greatest}");
                    reader.refuse(field, "INVALID_INPUT", &message);
                }
                found
            }
        };
        let runs = number("monte_carlo_runs", 1, u64::from(RUNS_MAX));
        let seed = number("seed", 0, SEED_MAX);
        let scenarios = Scenario::read_all(fields, "scenarios", &mut reader);
        let choice = ModelChoice::read(fields, "model_type", &mut reader);
        reader.finish()?;
        // An id in another form is the id of nothing.
        let subject = subject.ok_or_else(no_assessment)?;
        let runs = runs.and_then(|runs| u32::try_from(runs).ok()).unwrap_or(RUNS_MAX);
        Ok(Self { subject, scenarios, runs, months, seed, choice })
    }
}

/// The figures of all runs. Sums are made in the order of the runs, so that they are the same every time.
fn summary(mut scores: Vec<f64>, seed: u64, (levels, varied): (&Levels, Vec<VariedFeature>)) -> Simulation {
    #[expect(clippy::cast_precision_loss, reason = "at most 10,000 runs")]
    let count = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count;
    scores.sort_by(f64::total_cmp);
    let percentile = |percent: usize| {
        let rank = (scores.len() * percent).div_ceil(100).max(1);
        scores.get(rank - 1).copied().unwrap_or(f64::NAN)
    };
    let all = [Level::Low, Level::Medium, Level::High, Level::Critical];
    let share = |level: Level| {
        let within = scores.iter().filter(|score| levels.of(**score) == level).count();
        #[expect(clippy::cast_precision_loss, reason = "at most 10,000 runs")]
        let within = within as f64;
        within / count
    };
    Simulation {
        runs: scores.len(),
        seed,
        mean_risk_score: mean,
        standard_deviation: variance.sqrt(),
        percentiles: PERCENTILES.iter().map(|(name, at)| ((*name).to_owned(), percentile(*at))).collect(),
        level_distribution: all.into_iter().map(|level| (level.name().to_owned(), share(level))).collect(),
        varied_features: varied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_scores_that_so_many_runs_do_not_exceed() {
        let levels = Levels { medium: 0.3, high: 0.6, critical: 0.8 };
        let scores = (1..=100).rev().map(|score| f64::from(score) / 100.0).collect();
        let simulation = summary(scores, 1, (&levels, Vec::new()));
        for (name, percent) in PERCENTILES {
            #[expect(clippy::cast_precision_loss, reason = "a percentage")]
            let expected = percent as f64 / 100.0;
            assert_eq!(simulation.percentiles[name], expected, "{name}");
        }
        assert!((simulation.mean_risk_score - 0.505).abs() < 1e-12);
        let shares: Vec<f64> = simulation.level_distribution.values().copied().collect();
        assert_eq!(shares, [0.21, 0.20, 0.29, 0.30], "critical, high, low and medium");
        let one = summary(vec![0.4], 1, (&levels, Vec::new()));
        assert!(one.percentiles.values().all(|score| *score == 0.4) && one.standard_deviation == 0.0);
    }
}
