//! Lists tasks, newest first.

use pando_clock::Timestamp;
use pando_queue::JobFilter;
use pando_resilience::Call;
use pando_service::Fault;
use uuid::Uuid;

use crate::{Task, TaskStatus, TaskSummary, Tasks};

/// Which tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// With this status.
    pub status: Option<TaskStatus>,
    /// Of this type.
    pub task_type: Option<String>,
    /// Stored at or after this moment.
    pub since: Option<Timestamp>,
    /// Stored before this moment.
    pub before: Option<Timestamp>,
    /// Older than this one: the last of the page before.
    pub after: Option<Uuid>,
}

/// A page of tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<TaskSummary>,
    /// The last of them, when there are more.
    pub next: Option<Uuid>,
}

impl Tasks {
    /// A page of tasks, newest first.
    pub async fn list_tasks(&self, call: &Call, filter: TaskFilter, limit: usize) -> Result<TaskPage, Fault> {
        let filter = JobFilter {
            kind: filter.task_type,
            state: filter.status.map(TaskStatus::job_state),
            since: filter.since,
            before: filter.before,
            tenant: Some(call.tenant().clone()),
            after: filter.after,
            ..JobFilter::default()
        };
        let jobs = self.0.queue.list(call, &filter, limit + 1).await?;
        let more = jobs.len() > limit;
        let tasks: Vec<TaskSummary> =
            jobs.into_iter().take(limit).map(|job| TaskSummary::from(Task::from(job))).collect();
        let next = tasks.last().map(|task| task.id).filter(|_| more);
        Ok(TaskPage { tasks, next })
    }
}
