//! How much predictions can be relied on.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::comparison::{HorizonComparison, mean};
use crate::model::ModelType;

/// The prediction for one horizon.
pub(crate) struct Predicted {
    pub(crate) months: u8,
    pub(crate) confidence: f64,
    /// The calibration of its model.
    pub(crate) calibration: f64,
}

/// How much the predictions can be relied on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConfidenceAnalysis {
    /// The mean of all horizons.
    pub overall_confidence: f64,
    /// Each horizon.
    pub confidence_by_horizon: BTreeMap<String, f64>,
    /// The mean of all horizons for each model.
    pub confidence_by_model: BTreeMap<String, f64>,
    /// The horizons whose confidence is below the threshold of the request.
    pub low_confidence_predictions: Vec<u8>,
    /// The others.
    pub high_confidence_predictions: Vec<u8>,
    /// One less the mean gap between scores and outcomes of held-out rows, in ten bins of scores, as the card of the model has
    /// them; the mean of the models that predicted.
    pub calibration_score: f64,
}

impl ConfidenceAnalysis {
    pub(crate) fn of(
        predicted: &[Predicted],
        compared: &BTreeMap<u8, HorizonComparison>,
        threshold: f64,
    ) -> Self {
        let (low, high): (Vec<&Predicted>, Vec<&Predicted>) =
            predicted.iter().partition(|one| one.confidence < threshold);
        let months = |some: Vec<&Predicted>| some.iter().map(|one| one.months).collect();
        let of_model = |kind: ModelType| {
            let confidence = |one: &HorizonComparison| {
                let known = one.confidences().into_iter().find(|(found, _)| *found == kind);
                known.map_or(0.0, |(_, confidence)| confidence)
            };
            (kind.name().to_owned(), mean(compared.values().map(confidence)))
        };
        Self {
            overall_confidence: mean(predicted.iter().map(|one| one.confidence)),
            confidence_by_horizon: predicted
                .iter()
                .map(|one| (one.months.to_string(), one.confidence))
                .collect(),
            confidence_by_model: ModelType::ALL.into_iter().map(of_model).collect(),
            low_confidence_predictions: months(low),
            high_confidence_predictions: months(high),
            calibration_score: mean(predicted.iter().map(|one| one.calibration)),
        }
    }
}
