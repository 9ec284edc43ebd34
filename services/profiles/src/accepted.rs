//! The answer to a request for which a task does the work.

use std::borrow::Cow;

use pando_clock::Timestamp;
use pando_database::Transaction;
use pando_queue::{Enqueued, Job, JobState, Unique};
use pando_resilience::Call;
use pando_service::{Fault, Written};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::faults::no_profile;
use crate::domain::profile::ProfileId;
use crate::{Profiles, store};

/// A stored job, in the form of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// The id of the task.
    pub id: Uuid,
    /// The same id, for older clients.
    #[serde(rename = "taskID")]
    pub task_id: Uuid,
    /// `pending`, `scheduled` or `processing`.
    #[schema(value_type = String)]
    pub status: Cow<'static, str>,
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
    ) -> Result<Written<Accepted>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            store::lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_profile)?;
            let unique = Some(Unique::WhileLive(format!("{}:{id}", job.kind)));
            let details = json!({"kind": job.kind, "profile_id": id});
            let accepted = self.accept(&mut write.tx, call, Job { unique, ..job }, details).await?;
            write.done(accepted)
        });
        write.await
    }

    /// Stores a job for a caller, and records that with these details; if the key of the job is taken, returns the existing job.
    pub(crate) async fn accept(
        &self,
        tx: &mut Transaction,
        call: &Call,
        job: Job,
        details: Value,
    ) -> Result<Accepted, Fault> {
        let enqueued = self.0.queue.enqueue(tx, job.of_tenant(call.tenant())).await?;
        self.0.queue.record_created(tx, call, &enqueued, details);
        Ok(Accepted::from(&enqueued))
    }
}

impl From<&Enqueued> for Accepted {
    fn from(job: &Enqueued) -> Self {
        let status = match job.state {
            JobState::Running => "processing",
            JobState::Scheduled => "scheduled",
            _ => "pending",
        };
        let status = Cow::Borrowed(status);
        Self { id: job.id, task_id: job.id, status, created_at: job.created_at, run_at: job.run_at }
    }
}
