//! The errors of this service.

use std::sync::Arc;

use pando_database::DatabaseError;
use pando_objects::ObjectsError;
use pando_queue::QueueError;

use crate::memory::LoadFailure;
use crate::violations::Violations;

/// Why an operation on profiles was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No living profile has this id.
    #[error("there is no such profile")]
    NotFound,
    /// Another living profile has this e-mail address.
    #[error("another profile has this e-mail address")]
    EmailTaken,
    /// The input is not valid; each bad field is named.
    #[error("{0}")]
    Invalid(#[from] Violations),
    /// The caller named a version, and it is not the current one.
    #[error("the profile has version {current} now")]
    VersionMismatch {
        /// The version the profile has.
        current: i64,
    },
    /// The request itself cannot be followed: its patch does not fit, its upload broke off.
    #[error("{0}")]
    Refused(pando_http::Problem),
    /// An upload broke off, or cannot be read to its end; records that were written before stay.
    #[error("{problem}; {records_done} records of the import {token} are done")]
    ImportBrokenOff {
        /// The fault of the upload.
        problem: pando_http::Problem,
        /// Names the import.
        token: String,
        /// How many of its records have their outcome.
        records_done: i64,
    },
    /// No import has this token.
    #[error("there is no such import")]
    ImportNotFound,
    /// No export of this id can be fetched: there was none, it is not made yet, or its time is over.
    #[error("there is no such export")]
    ExportNotFound,
    /// The upload that is to be imported is not there any more: it was imported, or somebody in it was erased.
    #[error("there is no such upload")]
    UploadNotFound,
    /// A file was taken away while it was written: somebody in it was erased, or it took too long.
    #[error("the file was deleted while it was being written")]
    FileRemoved,
    /// The uploads that wait have all the room there is for them.
    #[error("too many uploads are waiting for their import already")]
    UploadsFull,
    /// The store does not have what a row refers to.
    #[error("the object {0} does not exist any more")]
    ObjectMissing(String),
    /// It cannot be done at this moment, but soon.
    #[error("{0}")]
    Busy(&'static str),
    /// Others kept taking what this batch wanted, attempt after attempt.
    #[error("other requests are changing the same profiles at this moment: try again")]
    Contended,
    /// Another request with the same idempotency key was first.
    #[error("another request with this key came first")]
    Repeated,
    /// Another upload is writing the same import.
    #[error("this import is being written by another upload")]
    ImportBusy,
    /// No write of this server returned the consistency token.
    #[error("the consistency token was not returned by a write of this server")]
    BadToken,
    /// The database did not do it.
    #[error(transparent)]
    Database(DatabaseError),
    /// The queue did not do it.
    #[error(transparent)]
    Queue(QueueError),
    /// The object store did not do it.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// It could not be read through the cache; others who asked for it got the same.
    #[error(transparent)]
    Cached(Arc<LoadFailure>),
    /// It cannot be written as JSON, or was kept as something else.
    #[error("the answer cannot be encoded: {0}")]
    Unwritable(String),
}

impl ProfileError {
    /// Whether somebody else came in between, so that the same batch may well succeed when it is tried again.
    pub(crate) fn is_contention(&self) -> bool {
        matches!(self, Self::EmailTaken | Self::Database(DatabaseError::Contention { .. }))
    }
}

impl From<QueueError> for ProfileError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Database(error) => error.into(),
            error => Self::Queue(error),
        }
    }
}

impl From<DatabaseError> for ProfileError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::UniqueViolation { ref constraint } if constraint == "profiles_email_key_key" => {
                Self::EmailTaken
            }
            error => Self::Database(error),
        }
    }
}
