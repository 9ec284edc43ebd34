//! The faults that are this service's own.

use pando_queue::QueueError;
use pando_service::Fault;

use crate::domain::task::TaskStatus;

/// No task has this id.
pub(crate) fn no_task() -> Fault {
    Fault::not_found("task")
}

/// No schedule has this name.
pub(crate) fn no_schedule() -> Fault {
    Fault::not_found("schedule")
}

/// The fault of a task that the queue refuses.
pub(crate) fn of_task(error: QueueError) -> Fault {
    match error {
        QueueError::NotFound => no_task(),
        QueueError::Ended { state } => {
            Fault::conflict(format!("the task is {} already", TaskStatus::of(state).as_str()))
        }
        error => error.into(),
    }
}
