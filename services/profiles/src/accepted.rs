//! The answer to a request for which a task does the work.

use pando_clock::Timestamp;
use pando_database::Transaction;
use pando_queue::{Enqueued, Job, JobState, Unique};
use pando_resilience::Call;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::once::Outcome;
use crate::profile::ProfileId;
use crate::{ProfileError, Profiles, Written, store};

/// A stored job, in the form of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Accepted {
    /// The id of the task.
    pub id: Uuid,
    /// The same id, for older clients.
    #[serde(rename = "taskID")]
    pub task_id: Uuid,
    /// `pending`, `scheduled` or `processing`.
    pub status: &'static str,
    /// When the task was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the task is due.
    #[schema(value_type = String, format = DateTime)]
    pub run_at: Timestamp,
}

impl Profiles {
    /// Stores a job about an existing profile; two simultaneous requests get the same job.
    pub(crate) async fn request_about(
        &self,
        call: &Call,
        id: ProfileId,
        job: Job,
    ) -> Result<Written<Accepted>, ProfileError> {
        let mut tx = self.begin(call).await?;
        store::lock(&mut tx, id).await?.ok_or(ProfileError::NotFound)?;
        let unique = Some(Unique::WhileLive(format!("{}:{id}", job.kind)));
        let accepted = self.accept(&mut tx, Job { unique, ..job }).await?;
        self.keep_answer(&mut tx, None, Outcome::Accepted(&accepted)).await?;
        Ok(Written { value: accepted, token: tx.commit().await? })
    }

    /// Stores a job; if its key is taken, returns the existing job.
    pub(crate) async fn accept(&self, tx: &mut Transaction, job: Job) -> Result<Accepted, ProfileError> {
        Ok(Accepted::from(&self.0.queue.enqueue(tx, job).await?))
    }
}

impl From<&Enqueued> for Accepted {
    fn from(job: &Enqueued) -> Self {
        let status = match job.state {
            JobState::Running => "processing",
            JobState::Scheduled => "scheduled",
            _ => "pending",
        };
        Self { id: job.id, task_id: job.id, status, created_at: job.created_at, run_at: job.run_at }
    }
}
