//! The model: features, trees, calibration, and exact contributions.
//!
//! [`features`] turns a business and its history into numbers, [`Models`] holds the models by type and version, and a
//! [`Model`] gives an [`Evaluation`] and its [`Explanation`]. Everything here is a pure computation on files that
//! `make train` makes; `docs-model.md` explains the files, the sums and the limits of use.

mod card;
mod catalogue;
mod countries;
mod error;
mod feature_list;
mod features;
mod files;
mod industries;
mod loading;
mod scorer;
mod shapley;
mod shelf;
mod texts;
mod trees;

pub use card::{Card, ModelInfo};
pub use catalogue::{Models, ModelsOptions};
pub(crate) use countries::country_group;
pub use error::ModelError;
pub use feature_list::{FEATURE_COUNT, FEATURES, FeatureSpec, Features};
pub use features::{BusinessInputs, Earlier, HistoryInputs, Inputs, Screened, features};
pub use files::ModelFiles;
pub use scorer::{Evaluation, Explanation, Model, ModelType};
