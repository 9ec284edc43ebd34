//! One model: its score, its confidence and its explanation.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::card::{Card, ModelInfo};
use super::error::ModelError;
use super::feature_list::{FEATURE_COUNT, Features, HORIZON};
use super::files::ModelFiles;
use super::shapley::Shapley;
use super::trees::{Forest, QUARTERS};

/// The types of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModelType {
    /// Trees on the request and on velocity; `xgboost` names it as well.
    GradientBoosting,
    /// Trees that also read summaries of the history; `lstm` names it as well.
    Sequence,
    /// The weighted mean of both.
    Ensemble,
}

impl ModelType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::GradientBoosting, Self::Sequence, Self::Ensemble];

    /// The type that `auto` means: gradient boosting up to 3 months, the sequence model from 6 on, both between.
    pub fn auto(horizon_months: u8) -> Self {
        match horizon_months {
            0..=3 => Self::GradientBoosting,
            4..=5 => Self::Ensemble,
            6.. => Self::Sequence,
        }
    }

    /// The type that a request asks for. `auto` depends on the horizon.
    pub fn wanted(text: &str, horizon_months: u8) -> Result<Self, ModelError> {
        if text == "auto" { Ok(Self::auto(horizon_months)) } else { text.parse() }
    }

    /// Its name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::GradientBoosting => "gradient_boosting",
            Self::Sequence => "sequence",
            Self::Ensemble => "ensemble",
        }
    }
}

impl FromStr for ModelType {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        match text {
            "gradient_boosting" | "xgboost" => Ok(Self::GradientBoosting),
            "sequence" | "lstm" => Ok(Self::Sequence),
            "ensemble" => Ok(Self::Ensemble),
            _ => Err(ModelError::UnknownType(text.to_owned())),
        }
    }
}

impl fmt::Display for ModelType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A model that was checked and is ready.
#[derive(Debug)]
pub struct Model {
    pub(super) kind: ModelType,
    pub(super) version: u32,
    pub(super) hash: String,
    pub(super) card_hash: String,
    pub(super) files: ModelFiles,
    pub(super) card: Card,
    pub(super) scorer: Scorer,
}

#[derive(Debug)]
pub(super) enum Scorer {
    Trees { forest: Forest, shapley: Box<Shapley> },
    Ensemble { members: [Arc<Model>; 2], bands: Vec<Band> },
}

/// The weights of an ensemble up to a horizon, in quarters.
#[derive(Debug)]
pub(super) struct Band {
    pub(super) up_to_months: u8,
    pub(super) quarters: [u8; 2],
}

/// A prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The calibrated log-odds, a multiple of 2^-42.
    pub log_odds: f64,
    /// 1 / (1 + e^-log_odds): the chance of failure within the horizon, as far as the card's figures carry.
    pub score: f64,
    /// How much was known, from 0 to 1: see `docs-model.md`.
    pub confidence: f64,
}

/// The parts of a prediction's log-odds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explanation {
    /// The mean log-odds of the model's training rows: the same for every prediction with the same weights.
    pub base: f64,
    /// The Shapley value of each feature, in the order of [`super::FEATURES`]. `base` plus all of them is exactly
    /// `Evaluation::log_odds`, in whatever order they are added.
    pub contributions: [f64; FEATURE_COUNT],
}

impl Model {
    /// Its type.
    pub fn kind(&self) -> ModelType {
        self.kind
    }

    /// Its version: a whole number, as text.
    pub fn version(&self) -> String {
        self.version.to_string()
    }

    /// The BLAKE3 hash of its file, in hexadecimal. An ensemble's file holds the hashes of its members.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The BLAKE3 hash of the file of its card, from which the confidence of a score comes.
    pub fn card_hash(&self) -> &str {
        &self.card_hash
    }

    /// The files that it was read from.
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// The models that an ensemble weighs; none of another type.
    pub fn members(&self) -> &[Arc<Self>] {
        match &self.scorer {
            Scorer::Trees { .. } => &[],
            Scorer::Ensemble { members, .. } => members,
        }
    }

    /// Its card, whole.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The figures of its card in the form of the API.
    pub fn info(&self) -> ModelInfo {
        self.card.info()
    }

    /// The prediction for a business. Every feature has to be NaN or within its range and on its steps, as
    /// [`super::features`] makes it.
    pub fn evaluate(&self, values: &Features) -> Evaluation {
        let log_odds = to_log_odds(self.quarters(values));
        let score = sigmoid(log_odds);
        Evaluation { log_odds, score, confidence: self.confidence(values, score) }
    }

    /// The parts of the prediction that [`Model::evaluate`] gives for the same values.
    pub fn explain(&self, values: &Features) -> Explanation {
        let (base, contributions) = self.parts(values);
        Explanation { base: to_log_odds(base), contributions: contributions.map(to_log_odds) }
    }

    /// The prediction and its parts.
    pub fn scored(&self, values: &Features) -> (Evaluation, Explanation) {
        (self.evaluate(values), self.explain(values))
    }

    fn quarters(&self, values: &Features) -> i64 {
        match &self.scorer {
            Scorer::Trees { forest, .. } => 4 * forest.units(values),
            Scorer::Ensemble { members, bands } => {
                let weights = weights(bands, values);
                // A member's sum is four times its units: a quarter of it times the weight.
                members.iter().zip(weights).map(|(member, weight)| member.quarters(values) / 4 * weight).sum()
            }
        }
    }

    fn parts(&self, values: &Features) -> (i64, [i64; FEATURE_COUNT]) {
        match &self.scorer {
            Scorer::Trees { shapley, .. } => {
                (4 * shapley.base(), shapley.contributions(values).map(|units| 4 * units))
            }
            Scorer::Ensemble { members, bands } => {
                let mut sums = (0, [0; FEATURE_COUNT]);
                for (member, weight) in members.iter().zip(weights(bands, values)) {
                    let (base, contributions) = member.parts(values);
                    sums.0 += base / 4 * weight;
                    for (sum, quarters) in sums.1.iter_mut().zip(contributions) {
                        *sum += quarters / 4 * weight;
                    }
                }
                sums
            }
        }
    }

    /// How narrowly the held-out rows of this score's bin fix the chance of failure, times how much of what the model
    /// leans on was given: 1 minus the width of Wilson's 95 % interval, times the gain of the features that are present.
    fn confidence(&self, values: &Features, score: f64) -> f64 {
        let present = self.card.present_gain(values);
        (1.0 - self.card.interval_width(score)) * present
    }
}

fn weights(bands: &[Band], values: &Features) -> [i64; 2] {
    let months = values[HORIZON];
    let found = bands.iter().find(|band| months <= f64::from(band.up_to_months)).or(bands.last());
    found.map_or([0; 2], |band| band.quarters.map(i64::from))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the checks of a model's file hold every sum below 2^53 quarters"
)]
fn to_log_odds(quarters: i64) -> f64 {
    quarters as f64 / QUARTERS
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + exp(-log_odds))
}

/// e^x by additions and multiplications alone, so that a replay gives the same bits on every machine: the `exp` of the
/// system differs in its last bit between versions. Within 2 units of the last place for |x| up to 700.
#[expect(clippy::cast_possible_truncation, reason = "x is clamped, so k lies between -1010 and 1010")]
#[expect(clippy::cast_sign_loss, reason = "k + 1023 is positive")]
fn exp(x: f64) -> f64 {
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = x.clamp(-700.0, 700.0);
    let k = (x * std::f64::consts::LOG2_E).round_ties_even();
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // Taylor's series: |r| is at most 0.35, so that the next term would be below 2^-60.
    let series = (1..=14).rev().fold(1.0, |sum, n| 1.0 + r * sum / f64::from(n));
    series * f64::from_bits(((k as i64 + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_the_system_to_its_last_places() {
        for step in -70_000..=70_000 {
            let x = f64::from(step) / 100.0;
            let (ours, system) = (exp(x), x.exp());
            assert!(((ours - system) / system).abs() < 4.0 * f64::EPSILON, "{x}: {ours} {system}");
        }
        assert_eq!(sigmoid(0.0), 0.5);
    }

    #[test]
    fn the_type_follows_the_name_and_the_horizon() {
        for (name, months, kind) in [
            ("auto", 0, ModelType::GradientBoosting),
            ("auto", 3, ModelType::GradientBoosting),
            ("auto", 4, ModelType::Ensemble),
            ("auto", 6, ModelType::Sequence),
            ("xgboost", 24, ModelType::GradientBoosting),
            ("lstm", 0, ModelType::Sequence),
            ("ensemble", 3, ModelType::Ensemble),
        ] {
            assert_eq!(ModelType::wanted(name, months).unwrap(), kind);
        }
        assert!(ModelType::wanted("XGBoost", 3).unwrap_err().to_string().contains("\"XGBoost\""));
    }
}
