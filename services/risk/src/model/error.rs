//! The faults of models.

use std::path::PathBuf;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Neither shipped nor in the folder.
    #[error("there is no model {model} version {version}")]
    Missing {
        /// The type.
        model: &'static str,
        /// The version asked for.
        version: String,
    },
    /// A file of a model, or the folder of models, cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        cause: std::io::Error,
    },
    /// A file was read, and is not what it has to be.
    #[error("{file}: {fault}")]
    Damaged {
        /// The name of the file.
        file: String,
        /// The fault.
        fault: String,
    },
    /// A text names no type of model.
    #[error(
        "{0:?} is no type of model: auto, gradient_boosting (or xgboost), sequence (or lstm) and ensemble are"
    )]
    UnknownType(String),
    /// A version is not a number.
    #[error("{0:?} is no version of a model: versions are whole numbers from 1 to 999999")]
    UnknownVersion(String),
}

impl ModelError {
    pub(super) fn damaged(file: &str, fault: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), fault: fault.into() }
    }
}
