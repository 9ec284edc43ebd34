//! A task in the form that clients see.

use pando_clock::Timestamp;
use pando_queue::{JobRecord, JobState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// The task waits for a worker.
    Pending,
    /// The task is not due yet, or waits for its next attempt.
    Scheduled,
    /// A worker runs the task.
    Processing,
    /// The task succeeded.
    Completed,
    /// The task failed in every allowed attempt.
    Failed,
    /// The task was cancelled.
    Cancelled,
}

/// The present state of a task.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Task {
    /// The id of the task.
    pub id: Uuid,
    /// The type of the task.
    pub task_type: String,
    /// The status of the task.
    pub status: TaskStatus,
    /// The progress that the task reports.
    #[schema(value_type = Option<Object>)]
    pub progress: Option<Value>,
    /// How many attempts were made.
    pub attempts: i64,
    /// The result of the task.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// The error of the last failed attempt.
    pub error: Option<String>,
    /// When the task is due.
    #[schema(value_type = String, format = DateTime)]
    pub run_at: Timestamp,
    /// When the task was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the status last changed, as far as is known.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When the task ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
}

/// A task as a list shows it: without its result, which may be large.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TaskSummary {
    /// The id of the task.
    pub id: Uuid,
    /// The type of the task.
    pub task_type: String,
    /// The status of the task.
    pub status: TaskStatus,
    /// The progress that the task reports.
    #[schema(value_type = Option<Object>)]
    pub progress: Option<Value>,
    /// How many attempts were made.
    pub attempts: i64,
    /// The error of the last failed attempt.
    pub error: Option<String>,
    /// When the task is due.
    #[schema(value_type = String, format = DateTime)]
    pub run_at: Timestamp,
    /// When the task was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the status last changed, as far as is known.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When the task ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
}

impl TaskStatus {
    const ALL: [(Self, JobState); 6] = [
        (Self::Pending, JobState::Pending),
        (Self::Scheduled, JobState::Scheduled),
        (Self::Processing, JobState::Running),
        (Self::Completed, JobState::Completed),
        (Self::Failed, JobState::Dead),
        (Self::Cancelled, JobState::Cancelled),
    ];

    /// Each by its name.
    pub(crate) const NAMES: [(&'static str, Self); 6] = [
        ("pending", Self::Pending),
        ("scheduled", Self::Scheduled),
        ("processing", Self::Processing),
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("cancelled", Self::Cancelled),
    ];

    pub(crate) fn of(state: JobState) -> Self {
        Self::ALL.into_iter().find(|(_, job)| *job == state).map_or(Self::Pending, |(status, _)| status)
    }

    pub(crate) fn job_state(self) -> JobState {
        Self::ALL.into_iter().find(|(status, _)| *status == self).map_or(JobState::Pending, |(_, job)| job)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, status)| *status == self).map_or("pending", |(name, _)| name)
    }

    /// Whether nothing more happens to it.
    pub fn is_end(self) -> bool {
        self.job_state().is_end()
    }
}

impl From<Task> for TaskSummary {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            task_type: task.task_type,
            status: task.status,
            progress: task.progress,
            attempts: task.attempts,
            error: task.error,
            run_at: task.run_at,
            created_at: task.created_at,
            updated_at: task.updated_at,
            completed_at: task.completed_at,
        }
    }
}

impl From<JobRecord> for Task {
    fn from(job: JobRecord) -> Self {
        Self {
            id: job.id,
            status: TaskStatus::of(job.state),
            progress: job.progress,
            attempts: job.attempts,
            result: job.result,
            error: job.error,
            run_at: job.run_at,
            created_at: job.created_at,
            updated_at: job.ended_at.or(job.started_at).unwrap_or(job.created_at),
            completed_at: job.ended_at,
            task_type: job.kind,
        }
    }
}
