//! The answer to a request that a task fulfils.

use pando_clock::Timestamp;
use pando_database::Transaction;
use pando_queue::{Job, JobRecord, JobState};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{ProfileError, Profiles};

/// A job that was stored, as tasks are answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Accepted {
    /// Its id.
    pub id: Uuid,
    /// The same, as older clients read it.
    #[serde(rename = "taskID")]
    pub task_id: Uuid,
    /// `pending`, `scheduled` or `processing`.
    pub status: &'static str,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is due.
    #[schema(value_type = String, format = DateTime)]
    pub run_at: Timestamp,
}

impl Profiles {
    /// Stores a job; the one that is there already when its key is taken.
    pub(crate) async fn accept(&self, tx: &mut Transaction, job: Job) -> Result<Accepted, ProfileError> {
        let id = self.0.queue.enqueue(tx, job).await?.id;
        let job = self.0.queue.find_in(tx, id).await?.ok_or(ProfileError::NotFound)?;
        Ok(Accepted::from(&job))
    }
}

impl From<&JobRecord> for Accepted {
    fn from(job: &JobRecord) -> Self {
        let status = match job.state {
            JobState::Running => "processing",
            JobState::Scheduled => "scheduled",
            _ => "pending",
        };
        Self { id: job.id, task_id: job.id, status, created_at: job.created_at, run_at: job.run_at }
    }
}
