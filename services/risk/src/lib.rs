#![doc = include_str!("../README.md")]

mod advanced;
mod analyze_scenarios;
mod assess;
mod assessment_history;
mod batch_assess;
mod check_compliance;
mod computing;
mod decide;
mod delete_monitoring;
mod domain;
mod explain;
mod get_assessment;
mod get_model;
mod get_monitoring;
mod history;
mod http;
mod jobs;
mod list_assessments;
mod lists;
mod measured;
mod media;
pub mod model;
mod model_performance;
mod monitor_media;
mod options;
mod outlook;
mod predict;
mod predict_advanced;
mod rescreen_media;
pub mod rules;
mod screen_name;
pub mod screening;
mod service;
mod show_insights;
mod show_trends;
mod store;

use std::sync::Arc;

use lists::Lists;
use measured::Measured;
use media::Media;
use model::{Models, ModelsOptions};
use pando_queue::Outbox;
use pando_service::prelude::*;
use pando_service::{Writes, WritesParts};
use rules::Ruleset;

pub use advanced::comparison::{
    AgreementAnalysis, HorizonComparison, ModelComparison, ModelPrediction, PerformanceMetrics,
};
pub use advanced::confidence::ConfidenceAnalysis;
pub use advanced::temporal::{TemporalAnalysis, TrendAnalysis, VolatilityAnalysis};
pub use analyze_scenarios::{ScenarioAnalysis, Simulation, StressTest, VariedFeature};
pub use assessment_history::{AssessmentHistory, PastAssessment, Trends};
pub use batch_assess::{BATCH_MAX, Batch, BatchItem};
pub use check_compliance::ComplianceCheck;
pub use domain::assessment::{Assessment, AssessmentStatus, Reason};
pub use domain::compliance::{CheckStatus, CheckType, Checked};
pub use domain::factors::RiskFactor;
pub use domain::monitoring::{MediaAlert, MediaMonitoring};
pub use domain::timeframe::Timeframe;
pub use domain::trend::{ScoreTrend, Trend};
pub use explain::{Explanation, FeatureContribution, ScoreExplanation};
pub use list_assessments::{AssessmentPage, AssessmentQuestion};
pub use model_performance::{ModelPerformance, ModelsPerformance, OverallPerformance};
pub use options::RiskOptions;
pub use outlook::ScenarioScore;
pub use predict::{KeyFactor, PredictedScenario, Prediction};
pub use predict_advanced::{AdvancedPrediction, HorizonPrediction, HorizonScenario};
pub use screen_name::{NameMatch, Screening};
pub use service::{BLUEPRINT, open};
pub use show_insights::{Insight, Recommendation, RiskInsights};
pub use show_trends::{AnalyticsQuestion, RiskTrends, SegmentTrend, TrendSummary};
pub use store::MIGRATIONS;

/// The risk service: each operation is a method, and a file of that name. Cloning shares it.
#[derive(Clone)]
pub struct Risk(Arc<Inner>);

struct Inner {
    parts: Parts,
    writes: Writes,
    models: Models,
    measured: Measured,
    ruleset: Ruleset,
    lists: Lists,
    media: Media,
    options: RiskOptions,
}

impl Risk {
    /// Puts the service together. A model, a list or a rule that cannot be used is an error.
    pub fn new(parts: &Parts, options: RiskOptions) -> Result<Self, BadSetting> {
        options.check()?;
        let models = ModelsOptions { folder: options.models.clone(), ..ModelsOptions::default() };
        let models = Models::open(models, parts.clock.clone());
        let ruleset = Ruleset::parse(Ruleset::default_document())
            .map_err(|faults| BadSetting::new("risk", "rules", format!("{} faults", faults.len())))?;
        Ok(Self(Arc::new(Inner {
            writes: Writes::new(WritesParts {
                database: parts.database.clone(),
                idempotency: parts.idempotency.clone(),
                outbox: options.events.then(|| Outbox::new(&parts.queue, "risk")),
                audit: Some(parts.audit.clone()).filter(|audit| audit.is_enabled()),
                vault: parts.vault.clone(),
                memory: None,
                rules: &[],
            }),
            models: models.map_err(|error| BadSetting::new("risk", "models", error))?,
            measured: Measured::new(parts.clock.now()),
            ruleset,
            lists: Lists::open(&options)?,
            media: Media::open(&options)?,
            parts: parts.clone(),
            options,
        })))
    }
}

/// The assessment that a caller named does not exist.
fn no_assessment() -> Fault {
    Fault::not_found("assessment")
}
