//! The errors of enqueueing and managing jobs.

use pando_database::DatabaseError;
use uuid::Uuid;

/// Why the queue did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// As many jobs, or as many bytes of them, wait in the queue as may: try later.
    #[error("the queue {queue} is full: {depth} {unit} wait, at most {depth_max} may")]
    Full {
        /// Which queue.
        queue: String,
        /// How many were counted last.
        depth: u64,
        /// How many may wait.
        depth_max: u64,
        /// The counted unit: `jobs` or `bytes`.
        unit: &'static str,
    },
    /// The job itself cannot be enqueued.
    #[error("{field}: {reason}")]
    BadJob {
        /// The field at fault.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// No job has this id.
    #[error("there is no such job")]
    NotFound,
    /// The job ended before it could be cancelled.
    #[error("the job is {state} already")]
    Ended {
        /// How it ended.
        state: crate::JobState,
    },
    /// The attempt is not the living one: its lease ran out, and the job was given to another, or was cancelled.
    #[error("job {id} was taken from this attempt")]
    FenceLost {
        /// The job.
        id: Uuid,
    },
    /// A setting cannot be used.
    #[error("queue setting {setting}: {reason}")]
    BadSetting {
        /// The option, as the settings file names it.
        setting: String,
        /// Why not.
        reason: String,
    },
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl QueueError {
    /// Whether the same, tried again a little later, may well succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Database(error) => error.is_transient(),
            _ => false,
        }
    }

    pub(crate) fn bad_job(field: &'static str, reason: impl Into<String>) -> Self {
        Self::BadJob { field, reason: reason.into() }
    }
}
