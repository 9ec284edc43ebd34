//! The models beside each other.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::measured::Measured;
use crate::model::ModelType;
use crate::outlook::Scored;
use crate::rules::Level;

/// Scores that are further apart are a disagreement.
const DISAGREEMENT: f64 = 0.2;

/// The prediction of one model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelPrediction {
    /// The score.
    pub predicted_score: f64,
    /// How high that is.
    pub predicted_level: Level,
    /// How much the score can be relied on.
    pub confidence_score: f64,
}

/// The models for one horizon.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HorizonComparison {
    /// The model `gradient_boosting`.
    pub xgboost_prediction: ModelPrediction,
    /// The model `sequence`, which is no recurrent network.
    pub lstm_prediction: ModelPrediction,
    /// The weighted mean of both.
    pub ensemble_prediction: ModelPrediction,
    /// The model with the lowest Brier score on held-out rows with such horizons.
    pub best_model: String,
    /// The greatest confidence, less the least.
    pub confidence_difference: f64,
    /// The greatest score, less the least.
    pub score_difference: f64,
}

/// How far the models agree.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgreementAnalysis {
    /// The mean of `agreement_by_horizon`.
    pub overall_agreement: f64,
    /// One less the difference of scores.
    pub agreement_by_horizon: BTreeMap<String, f64>,
    /// A greater difference of scores is a disagreement.
    pub disagreement_threshold: f64,
    /// The horizons with one.
    pub high_disagreement_horizons: Vec<u8>,
}

/// The measurements of this process, since it began.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PerformanceMetrics {
    /// The mean time of a prediction with its explanation, in nanoseconds.
    pub average_latency: Option<u64>,
    /// The same for each model.
    pub latency_by_model: BTreeMap<String, Option<u64>>,
    /// The bytes of memory of the process; null if the system does not say.
    pub memory_usage: Option<u64>,
    /// Predictions per second.
    pub throughput: f64,
}

/// The models beside each other.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelComparison {
    /// Each horizon.
    pub horizons: BTreeMap<String, HorizonComparison>,
    /// The best model of each.
    pub best_model_per_horizon: BTreeMap<String, String>,
    /// How far the models agree.
    pub agreement_analysis: AgreementAnalysis,
    /// How long they take.
    pub performance_metrics: PerformanceMetrics,
}

impl HorizonComparison {
    /// The scores of trees, sequence and ensemble, each with its Brier score on held-out rows.
    pub(crate) fn of(scored: &[(Scored, f64); 3]) -> Self {
        let shown = |(scored, _): &(Scored, f64)| ModelPrediction {
            predicted_score: scored.evaluation.score,
            predicted_level: scored.level,
            confidence_score: scored.evaluation.confidence,
        };
        let [trees, sequence, ensemble] = scored;
        let spread = |of: fn(&Scored) -> f64| {
            let values = scored.iter().map(|(one, _)| of(one));
            values.clone().fold(f64::MIN, f64::max) - values.fold(f64::MAX, f64::min)
        };
        let best = scored.iter().min_by(|(_, one), (_, other)| one.total_cmp(other));
        Self {
            xgboost_prediction: shown(trees),
            lstm_prediction: shown(sequence),
            ensemble_prediction: shown(ensemble),
            best_model: best.map_or("", |(scored, _)| scored.kind.name()).to_owned(),
            confidence_difference: spread(|one| one.evaluation.confidence),
            score_difference: spread(|one| one.evaluation.score),
        }
    }

    /// The confidence of each type of model.
    pub(crate) fn confidences(&self) -> [(ModelType, f64); 3] {
        [
            (ModelType::GradientBoosting, self.xgboost_prediction.confidence_score),
            (ModelType::Sequence, self.lstm_prediction.confidence_score),
            (ModelType::Ensemble, self.ensemble_prediction.confidence_score),
        ]
    }
}

impl ModelComparison {
    pub(crate) fn of(compared: &BTreeMap<u8, HorizonComparison>, measured: &Measured) -> Self {
        let by_horizon: BTreeMap<String, f64> =
            compared.iter().map(|(months, one)| (months.to_string(), 1.0 - one.score_difference)).collect();
        let apart = compared.iter().filter(|(_, one)| one.score_difference > DISAGREEMENT);
        let all = measured.figures(&ModelType::ALL);
        let latency = |kind: ModelType| (kind.name().to_owned(), measured.figures(&[kind]).mean_nanos());
        Self {
            horizons: compared.iter().map(|(months, one)| (months.to_string(), one.clone())).collect(),
            best_model_per_horizon: compared
                .iter()
                .map(|(months, one)| (months.to_string(), one.best_model.clone()))
                .collect(),
            agreement_analysis: AgreementAnalysis {
                overall_agreement: mean(by_horizon.values().copied()),
                high_disagreement_horizons: apart.map(|(months, _)| *months).collect(),
                agreement_by_horizon: by_horizon,
                disagreement_threshold: DISAGREEMENT,
            },
            performance_metrics: PerformanceMetrics {
                average_latency: all.mean_nanos(),
                latency_by_model: ModelType::ALL.into_iter().map(latency).collect(),
                memory_usage: pando_telemetry::resident_bytes(),
                throughput: measured.per_second(&all),
            },
        }
    }
}

/// The mean of some numbers; 0 of none.
pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of numbers")]
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}
