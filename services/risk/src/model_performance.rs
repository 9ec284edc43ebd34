//! Shows how the models do in this process: measured since it began, and nothing else.

use pando_service::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::Risk;
use crate::decide::no_model;
use crate::measured::Figures;
use crate::model::ModelType;

/// The measurements of one type of model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelPerformance {
    /// The type.
    pub model_type: String,
    /// The version in use.
    pub model_version: String,
    /// Predictions since `since`.
    pub request_count: u64,
    /// A prediction with its explanation takes at most so many nanoseconds in half of all cases; null without any.
    /// Quantiles are at most a sixteenth too high.
    pub latency_p50: Option<u64>,
    /// In 95 % of them.
    pub latency_p95: Option<u64>,
    /// In 99 % of them.
    pub latency_p99: Option<u64>,
    /// Predictions per second since `since`, however many were asked for.
    pub throughput: f64,
    /// The bytes of memory of the whole process, which nobody can part by model; null if the system does not say.
    pub memory_usage: Option<u64>,
    /// The accuracy of its card, on held-out rows.
    pub accuracy: f64,
    /// The share of predictions that failed; null without any.
    pub error_rate: Option<f64>,
    /// When this was counted.
    #[schema(value_type = String, format = DateTime)]
    pub last_updated: Timestamp,
}

/// The measurements of all models together.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OverallPerformance {
    /// Predictions since `since`.
    pub total_requests: u64,
    /// The mean time of one, in nanoseconds; null without any.
    pub average_latency: Option<u64>,
    /// Predictions per second since `since`.
    pub average_throughput: f64,
    /// The bytes of memory of the process; null if the system does not say.
    pub total_memory_usage: Option<u64>,
    /// The mean accuracy of the cards, weighted by predictions; null without any.
    pub overall_accuracy: Option<f64>,
    /// The share of predictions that failed; null without any.
    pub overall_error_rate: Option<f64>,
}

/// The measurements of this process.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelsPerformance {
    /// Each type of model.
    pub models: BTreeMap<String, ModelPerformance>,
    /// All of them.
    pub overall_metrics: OverallPerformance,
    /// The moment from which this process has counted.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When this was counted.
    #[schema(value_type = String, format = DateTime)]
    pub last_updated: Timestamp,
}

impl Risk {
    /// The measurements of this process.
    pub fn model_performance(&self) -> Result<ModelsPerformance, Fault> {
        let now = self.0.parts.clock.now();
        let memory_usage = pando_telemetry::resident_bytes();
        let (mut models, mut weighted) = (BTreeMap::new(), 0.0);
        for kind in ModelType::ALL {
            let model = self.0.models.current(kind).map_err(no_model)?;
            let figures = self.0.measured.figures(&[kind]);
            let quantile = |at: usize| figures.quantiles.map(|quantiles| quantiles[at]);
            let accuracy = model.info().accuracy;
            weighted += accuracy * number(figures.count);
            let performance = ModelPerformance {
                model_type: kind.name().to_owned(),
                model_version: model.version(),
                request_count: figures.count,
                latency_p50: quantile(0),
                latency_p95: quantile(1),
                latency_p99: quantile(2),
                throughput: self.0.measured.per_second(&figures),
                memory_usage,
                accuracy,
                error_rate: figures.error_rate(),
                last_updated: now,
            };
            models.insert(kind.name().to_owned(), performance);
        }
        let all: Figures = self.0.measured.figures(&ModelType::ALL);
        Ok(ModelsPerformance {
            models,
            overall_metrics: OverallPerformance {
                total_requests: all.count,
                average_latency: all.mean_nanos(),
                average_throughput: self.0.measured.per_second(&all),
                total_memory_usage: memory_usage,
                overall_accuracy: (all.count > 0).then(|| weighted / number(all.count)),
                overall_error_rate: all.error_rate(),
            },
            since: self.0.measured.since(),
            last_updated: now,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts need no more than 52 bits")]
fn number(count: u64) -> f64 {
    count as f64
}
