//! The errors of storing, reading and deleting an object.

use std::error::Error;
use std::sync::Arc;

/// The errors of the store. A missing object is not an error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectsError {
    /// The store does not answer, or not in time: the same may well succeed later.
    #[error("the object store cannot be reached: {source}")]
    Unavailable {
        /// The error of the store.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// There is no room left.
    #[error("the object store has no room left")]
    Full,
    /// The store refuses to do it, or the folder does not let us.
    #[error("the object store refuses the request: {source}")]
    Refused {
        /// The error of the store.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A setting cannot be used.
    #[error("objects.{setting}: {reason}")]
    BadSetting {
        /// Its name.
        setting: &'static str,
        /// Why not.
        reason: String,
    },
}

impl ObjectsError {
    /// Whether the same, tried again a little later, may well succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(crate) fn unavailable(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable { source: Arc::new(source) }
    }

    pub(crate) fn refused(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Refused { source: Arc::new(source) }
    }

    /// The word for it in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Full => "full",
            Self::Refused { .. } | Self::BadSetting { .. } => "refused",
        }
    }
}

impl From<std::io::Error> for ObjectsError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full,
            ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::unavailable(error),
            _ => Self::refused(error),
        }
    }
}

impl From<object_store::Error> for ObjectsError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as Theirs;
        match error {
            error @ (Theirs::PermissionDenied { .. }
            | Theirs::Unauthenticated { .. }
            | Theirs::NotSupported { .. }
            | Theirs::InvalidPath { .. }
            | Theirs::NotFound { .. }) => Self::refused(error),
            error => Self::unavailable(error),
        }
    }
}
