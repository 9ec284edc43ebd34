//! The card of a model: where it comes from, and the figures measured on held-out rows.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::feature_list::{FEATURES, Features};

/// 97.5 % of a normal distribution lie below it: intervals are of 95 %.
const Z: f64 = 1.959_963_984_540_054;
/// The figures of [`ModelInfo`] are those for calling a business a failure from this score on, where `medium` begins.
const INFO_THRESHOLD: f64 = 0.3;

/// A card as `make train` writes it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// `pando.risk.card/1`.
    pub format: String,
    /// A line that says what the model is.
    pub name: String,
    /// The type of the model.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the model.
    pub version: String,
    /// The hash of the model's file.
    pub blake3: String,
    /// The day that the data and the parameters were settled on.
    pub training_date: String,
    /// The tools and their versions; none for an ensemble.
    pub trained_with: Option<String>,
    /// The data: its generator or origin, its outcome, and the rows of each split.
    pub data: Value,
    /// The first and last month of the horizons that the model learned from and was measured on.
    pub horizons: [u8; 2],
    /// The parameters of the training, or the weights of an ensemble.
    pub hyperparameters: Value,
    /// Platt's line: calibrated log-odds = slope * raw + intercept.
    pub calibration_line: Option<Line>,
    /// The figures of all held-out rows.
    pub held_out: Figures,
    /// The figures of held-out rows by their horizon.
    pub by_horizon: Vec<HorizonFigures>,
    /// Held-out rows by score, in ten bins.
    pub calibration: Vec<Bin>,
    /// Every feature's share of the gain of all splits, in the order of the features.
    pub importances: Vec<Importance>,
    /// The uses that the model is not fit for, and why.
    pub limits: Vec<String>,
}

/// A line fitted on the calibration split.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The factor of the trees' sum.
    pub slope: f64,
    /// The summand.
    pub intercept: f64,
    /// Rows that it was fitted on.
    pub rows: u32,
}

/// Figures of a sample.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Rows of the sample.
    pub rows: u32,
    /// Rows that failed.
    pub failed: u32,
    /// The chance that a row that failed scores above one that did not.
    pub auc: f64,
    /// The mean square of score minus outcome.
    pub brier: f64,
    /// The Brier score of always saying the sample's own share of failures.
    pub brier_of_the_base_rate: f64,
    /// The mean negative logarithm of the chance given to what happened.
    pub log_loss: f64,
    /// Figures for calling rows failures from a score on.
    pub at: Vec<AtThreshold>,
}

/// Figures for calling rows failures from a score on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AtThreshold {
    /// The score.
    pub threshold: f64,
    /// Rows with at least this score.
    pub called: u32,
    /// The share of rows called rightly.
    pub accuracy: f64,
    /// The share of failures among the rows called failures.
    pub precision: f64,
    /// The share of called rows among the failures.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
}

/// Figures of the rows with some horizons.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HorizonFigures {
    /// The first month.
    pub from: u8,
    /// The last month.
    pub to: u8,
    /// Rows of the sample.
    pub rows: u32,
    /// Rows that failed.
    pub failed: u32,
    /// As in [`Figures`].
    pub auc: f64,
    /// As in [`Figures`].
    pub brier: f64,
}

/// Held-out rows whose scores are alike.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// The least score.
    pub from: f64,
    /// Scores are below this one; the last bin has 1 as well.
    pub to: f64,
    /// Rows in the bin.
    pub count: u32,
    /// Rows that failed.
    pub failed: u32,
    /// The mean score.
    pub predicted: Option<f64>,
    /// The share that failed.
    pub observed: Option<f64>,
}

/// A feature's share of the gain of all splits.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Importance {
    /// Its name.
    pub feature: String,
    /// The share; 0 if no split reads it.
    pub gain: f64,
}

/// A model in the form of the API. Every figure is from its card.
#[derive(Clone, Debug, Serialize)]
pub struct ModelInfo {
    /// A line that says what the model is.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The day of its training.
    pub training_date: String,
    /// The share of held-out rows called rightly at the threshold that the metadata names.
    pub accuracy: f64,
    /// At the same threshold.
    pub precision: f64,
    /// At the same threshold.
    pub recall: f64,
    /// At the same threshold.
    pub f1_score: f64,
    /// The features that it reads.
    pub features: Vec<String>,
    /// The parameters of the training, or the weights of an ensemble.
    pub hyperparameters: Value,
    /// The sample that was measured, the other figures, and the limits of use.
    pub metadata: Value,
}

impl Card {
    /// The Brier score of the held-out rows with horizons like this one; that of all rows if the card has none for it.
    pub fn brier(&self, horizon_months: u8) -> f64 {
        let found = self.by_horizon.iter().find(|one| (one.from..=one.to).contains(&horizon_months));
        found.map_or(self.held_out.brier, |one| one.brier)
    }

    /// One less the mean gap between the mean score and the share of failures of each bin, weighted by its rows.
    pub fn calibration_score(&self) -> f64 {
        let (mut gaps, mut rows) = (0.0, 0.0);
        for bin in &self.calibration {
            if let Some((predicted, observed)) = bin.predicted.zip(bin.observed) {
                gaps += f64::from(bin.count) * (predicted - observed).abs();
                rows += f64::from(bin.count);
            }
        }
        if rows > 0.0 { 1.0 - gaps / rows } else { 0.0 }
    }

    /// The fault of a card, if it has one.
    pub(super) fn check(&self, kind: &str, version: &str, hash: &str) -> Result<(), String> {
        if self.format != "pando.risk.card/1" {
            return Err(format!("its format is {:?}, not pando.risk.card/1", self.format));
        }
        if (self.kind.as_str(), self.version.as_str()) != (kind, version) {
            return Err(format!("it is of {} version {}", self.kind, self.version));
        }
        if self.blake3 != hash {
            return Err(format!("the model's file has the hash {hash}, and the card says {}", self.blake3));
        }
        let names = self.importances.iter().map(|importance| importance.feature.as_str());
        if !names.eq(FEATURES.iter().map(|spec| spec.name)) {
            return Err(
                "its importances are not those of this program's features, in the same order".to_owned()
            );
        }
        let gains = || self.importances.iter().map(|importance| importance.gain);
        if gains().any(|gain| !(0.0..=1.0).contains(&gain)) || gains().sum::<f64>() <= 0.0 {
            return Err("its importances are no shares".to_owned());
        }
        if self.calibration.len() != 10 || self.calibration.iter().any(|bin| bin.failed > bin.count) {
            return Err("its calibration table is not ten bins of rows, some of which failed".to_owned());
        }
        if !self.held_out.at.iter().any(|at| at.threshold == INFO_THRESHOLD) {
            return Err(format!("it has no figures at the score {INFO_THRESHOLD}"));
        }
        Ok(())
    }

    pub(super) fn info(&self) -> ModelInfo {
        let at = self.held_out.at.iter().find(|at| at.threshold == INFO_THRESHOLD);
        let figure = |read: fn(&AtThreshold) -> f64| at.map_or(f64::NAN, read);
        let read = self.importances.iter().filter(|importance| importance.gain > 0.0);
        ModelInfo {
            name: self.name.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
            training_date: self.training_date.clone(),
            accuracy: figure(|at| at.accuracy),
            precision: figure(|at| at.precision),
            recall: figure(|at| at.recall),
            f1_score: figure(|at| at.f1),
            features: read.map(|importance| importance.feature.clone()).collect(),
            hyperparameters: self.hyperparameters.clone(),
            metadata: json!({
                "blake3": self.blake3,
                "trained_with": self.trained_with,
                "threshold": INFO_THRESHOLD,
                "data": self.data,
                "horizons": self.horizons,
                "held_out": self.held_out,
                "by_horizon": self.by_horizon,
                "calibration": self.calibration,
                "importances": self.importances,
                "limits": self.limits,
            }),
        }
    }

    /// The share of gain of the features that are not missing.
    pub(super) fn present_gain(&self, values: &Features) -> f64 {
        let (mut present, mut all) = (0.0, 0.0);
        for (importance, value) in self.importances.iter().zip(values) {
            all += importance.gain;
            present += if value.is_nan() { 0.0 } else { importance.gain };
        }
        present / all
    }

    /// The width of Wilson's interval for the share of failures in the bin of a score; 1 for an empty bin.
    pub(super) fn interval_width(&self, score: f64) -> f64 {
        let bin = self.calibration.iter().find(|bin| score < bin.to).or(self.calibration.last());
        let Some(bin) = bin.filter(|bin| bin.count > 0) else { return 1.0 };
        let count = f64::from(bin.count);
        let share = f64::from(bin.failed) / count;
        let inner = share * (1.0 - share) / count + Z * Z / (4.0 * count * count);
        2.0 * Z * inner.sqrt() / (1.0 + Z * Z / count)
    }
}
