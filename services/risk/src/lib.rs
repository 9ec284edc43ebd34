#![doc = include_str!("../README.md")]

mod advanced;
mod analyze_scenarios;
mod archive_assessments;
mod assess;
mod assessment_history;
mod backtest_ruleset;
mod batch_assess;
mod batch_results;
mod cancel_batch;
mod change_lists;
mod change_ruleset;
mod check_compliance;
mod check_party;
mod computing;
mod create_batch;
mod create_ruleset;
mod decide;
mod decide_many;
mod delete_monitoring;
mod domain;
mod evaluate_ruleset;
mod evidence;
mod explain;
mod get_assessment;
mod get_batch;
mod get_model;
mod get_monitoring;
mod ground;
mod grounds;
mod history;
mod http;
mod jobs;
mod list_assessments;
mod list_batches;
mod list_rulesets;
mod lists;
mod make_partitions;
mod measured;
mod media;
pub mod model;
mod model_performance;
mod monitor_business;
mod monitor_media;
mod options;
mod outlook;
mod predict;
mod predict_advanced;
mod publish_ruleset;
mod read_cases;
mod read_lists;
mod remember_false_positive;
mod replay_assessment;
mod replay_assessments;
mod rescreen_businesses;
mod rescreen_media;
mod resume_batch;
pub mod rules;
mod run_batch;
mod screen_name;
pub mod screening;
mod service;
mod shadow_ruleset;
mod shadows;
mod show_insights;
mod show_trends;
mod store;
mod sweep_batches;
mod tenant_lists;
mod test_ruleset;
mod work_on_case;

use std::sync::Arc;

use evidence::Evidence;
use grounds::Grounds;
use lists::Lists;
use measured::Measured;
use media::Media;
use model::{Models, ModelsOptions};
use pando_queue::Outbox;
use pando_service::prelude::*;
use pando_service::{Writes, WritesParts};
use rules::Ruleset;
use shadows::Shadows;
use tokio::sync::Semaphore;

pub use advanced::comparison::{
    AgreementAnalysis, HorizonComparison, ModelComparison, ModelPrediction, PerformanceMetrics,
};
pub use advanced::confidence::ConfidenceAnalysis;
pub use advanced::temporal::{TemporalAnalysis, TrendAnalysis, VolatilityAnalysis};
pub use analyze_scenarios::{ScenarioAnalysis, Simulation, StressTest, VariedFeature};
pub use assessment_history::{AssessmentHistory, PastAssessment, Trends};
pub use backtest_ruleset::Backtest;
pub use batch_assess::{BATCH_MAX, Batch, BatchItem, Batched};
pub use batch_results::{BatchResult, BatchResults, BatchSummary};
pub use check_compliance::ComplianceCheck;
pub use check_party::{Party, PartyVerdict};
pub use domain::assessment::{Assessment, AssessmentStatus, Reason};
pub use domain::batch::{BatchJob, BatchReceipt, BatchStatus, ItemStatus};
pub use domain::batch_request::BATCH_JOB_MAX;
pub use domain::case::{Case, CaseNote, CaseOutcome, CaseStatus};
pub use domain::compliance::{CheckStatus, CheckType, Checked};
pub use domain::factors::RiskFactor;
pub use domain::json_difference::JsonDifference;
pub use domain::list::{FalsePositive, ListChange, ListEntry, ListKind, ListShown};
pub use domain::monitored::Monitored;
pub use domain::monitoring::{MediaAlert, MediaMonitoring};
pub use domain::ruleset::RulesetVersion;
pub use domain::timeframe::Timeframe;
pub use domain::trend::{ScoreTrend, Trend};
pub use evaluate_ruleset::Evaluated;
pub use explain::{Explanation, FeatureContribution, ScoreExplanation};
pub use get_batch::{BatchProgress, BatchState, BusinessResult};
pub use list_assessments::{AssessmentPage, AssessmentQuestion};
pub use list_batches::{BatchPage, BatchQuestion};
pub use list_rulesets::{RulesetDifferences, RulesetPage, RulesetShown};
pub use model_performance::{ModelPerformance, ModelsPerformance, OverallPerformance};
pub use monitor_business::MonitoredPage;
pub use options::RiskOptions;
pub use outlook::ScenarioScore;
pub use predict::{KeyFactor, PredictedScenario, Prediction};
pub use predict_advanced::{AdvancedPrediction, HorizonPrediction, HorizonScenario};
pub use read_cases::{CaseFile, CasePage};
pub use read_lists::{ListEntries, ListHistory, ListsShown};
pub use remember_false_positive::FalsePositives;
pub use replay_assessment::Replay;
pub use replay_assessments::{Replays, replay_assessments};
pub use screen_name::{NameMatch, Screening};
pub use service::{BLUEPRINT, open, served};
pub use shadow_ruleset::ShadowReport;
pub use show_insights::{Insight, Recommendation, RiskInsights};
pub use show_trends::{AnalyticsQuestion, RiskTrends, SegmentTrend, TrendSummary};
pub use store::MIGRATIONS;
pub use test_ruleset::RulesetTests;
pub use work_on_case::Work;

/// The risk service: each operation is a method, and a file of that name. Cloning shares it.
#[derive(Clone)]
pub struct Risk(Arc<Inner>);

struct Inner {
    parts: Parts,
    writes: Writes,
    models: Models,
    evidence: Evidence,
    ruleset: Arc<Ruleset>,
    grounds: Grounds,
    shadows: Shadows,
    lists: Lists,
    /// Turns to decide about many businesses.
    deciding: Semaphore,
    deciding_max: usize,
    measured: Measured,
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
            evidence: Evidence::new(&parts.database, &parts.clock),
            ruleset: Arc::new(ruleset),
            grounds: Grounds::default(),
            shadows: Shadows::new(&parts.database, &parts.clock),
            lists: Lists::open(&options)?,
            deciding: Semaphore::new(options.batch_threads()),
            deciding_max: options.batch_threads(),
            measured: Measured::new(parts.clock.now()),
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

/// The batch that a caller named does not exist.
fn no_batch() -> Fault {
    Fault::not_found("batch")
}
