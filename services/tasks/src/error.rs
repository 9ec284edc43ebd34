//! The errors of this service.

use pando_database::DatabaseError;
use pando_http::{Code, FieldError, Problem};
use pando_queue::QueueError;

/// Why an operation on tasks was not done.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No task has this id.
    #[error("there is no such task")]
    NotFound,
    /// No schedule has this name.
    #[error("there is no such schedule")]
    NoSchedule,
    /// The caller's condition on the version is not met.
    #[error("{}", .0.detail())]
    Refused(Box<Problem>),
    /// The task ended before.
    #[error("the task is {state} already")]
    Finished {
        /// How it ended.
        state: &'static str,
    },
    /// The unique key is held by a task that does not call this address when it ends.
    #[error("the task {id} holds this unique_key already, and it calls another callback_url or none")]
    OtherCallback {
        /// The task that holds the key.
        id: uuid::Uuid,
    },
    /// The input is not valid; each bad field is named.
    #[error("{} values are invalid", .0.len())]
    Invalid(Vec<FieldError>),
    /// The queue did not do it.
    #[error(transparent)]
    Queue(QueueError),
}

impl From<QueueError> for TaskError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NotFound => Self::NotFound,
            QueueError::Ended { state } => {
                Self::Finished { state: crate::task::TaskStatus::of(state).as_str() }
            }
            QueueError::BadJob { field, reason } => Self::Invalid(vec![fault(field, "value", reason)]),
            error => Self::Queue(error),
        }
    }
}

impl From<DatabaseError> for TaskError {
    fn from(error: DatabaseError) -> Self {
        Self::Queue(error.into())
    }
}

impl From<TaskError> for Problem {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::NotFound => Self::not_found("task"),
            TaskError::NoSchedule => Self::not_found("schedule"),
            TaskError::Refused(problem) => *problem,
            TaskError::Finished { .. } | TaskError::OtherCallback { .. } => {
                Self::new(Code::Conflict, error.to_string())
            }
            TaskError::Invalid(faults) => Self::invalid(faults),
            TaskError::Queue(error) => queue_problem(error),
        }
    }
}

/// If a task was not stored, for whatever reason, the answer never claims that it was.
fn queue_problem(error: QueueError) -> Problem {
    match &error {
        QueueError::Full { .. } => Problem::new(Code::Unavailable, "too many tasks wait already")
            .with_retry_after(5)
            .with_source(error),
        QueueError::Database(
            DatabaseError::Unavailable { .. }
            | DatabaseError::PoolTimeout { .. }
            | DatabaseError::Contention { .. },
        ) => Problem::unavailable(error),
        QueueError::Database(DatabaseError::CommitUnknown { .. }) => {
            let detail = "the connection broke during the commit: the task may or may not have been stored";
            Problem::new(Code::Unavailable, detail).with_source(error)
        }
        QueueError::Database(DatabaseError::DeadlineExceeded) => {
            Problem::new(Code::Timeout, "the database did not answer in time").with_source(error)
        }
        QueueError::Database(DatabaseError::StorageFull) => {
            Problem::new(Code::StorageFull, "the database has no room left").with_source(error)
        }
        _ => Problem::internal(error),
    }
}

/// One bad field.
pub(crate) fn fault(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> FieldError {
    FieldError { field: field.into().into(), code: code.into(), message: message.into().into() }
}
