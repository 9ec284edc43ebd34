//! Stores a task that runs as soon as possible or at a given moment.

use pando_clock::Timestamp;
use pando_database::Transaction;
use pando_queue::{Enqueued, Job};
use pando_resilience::Call;
use pando_service::{Fault, Written};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::faults::of_task;
use crate::domain::task::TaskStatus;
use crate::{TaskRequest, Tasks};

/// The stored task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Created {
    /// The id of the task; if the unique key was taken, the id of the existing task.
    pub id: Uuid,
    /// The same id, for older clients.
    #[serde(rename = "taskID")]
    pub task_id: Uuid,
    /// `pending` or `scheduled`; for an existing task also `processing`.
    pub status: TaskStatus,
    /// When the task was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the task is due.
    #[schema(value_type = String, format = DateTime)]
    pub run_at: Timestamp,
}

impl Tasks {
    /// Stores a task. A returned task is stored.
    pub async fn create_task(&self, call: &Call, request: TaskRequest) -> Result<Written<Created>, Fault> {
        self.permit(call, &request.job.kind)?;
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let created = self.create_task_in(&mut write.tx, call, request).await?;
            write.done(created)
        });
        write.await
    }

    /// Adds a task to a transaction.
    pub(crate) async fn create_task_in(
        &self,
        tx: &mut Transaction,
        call: &Call,
        request: TaskRequest,
    ) -> Result<Created, Fault> {
        let now = self.0.queue.clock().now();
        let TaskRequest { job, delay, callback } = request;
        let due = now.plus_micros(i64::try_from(delay.as_micros()).unwrap_or(i64::MAX));
        let job = Job { run_at: Some(job.run_at.unwrap_or(due)), ..job }.of_tenant(call.tenant());
        let kind = job.kind.clone();
        let enqueued = match callback {
            None => self.0.queue.enqueue(tx, job).await.map_err(of_task)?,
            Some(callback) => self.create_with_callback(tx, job, callback).await?,
        };
        self.0.queue.record_created(tx, call, &enqueued, json!({"kind": kind}));
        let Enqueued { id, state, created_at, run_at, .. } = enqueued;
        Ok(Created { id, task_id: id, status: TaskStatus::of(state), created_at, run_at })
    }

    /// The address is called when the task has ended, in whatever way.
    async fn create_with_callback(
        &self,
        tx: &mut Transaction,
        job: Job,
        mut callback: Job,
    ) -> Result<Enqueued, Fault> {
        let id = self.0.queue.clock().fresh_id();
        let url = callback.payload["url"].clone();
        if let Some(payload) = callback.payload.as_object_mut() {
            payload.insert("body".to_owned(), json!({"task_id": id}));
        }
        let enqueued = self
            .0
            .queue
            .enqueue_with_callback(tx, Job { id: Some(id), ..job }, callback)
            .await
            .map_err(of_task)?;
        if enqueued.fresh {
            return Ok(enqueued);
        }
        // The task that holds the unique key calls the address that it was given, and no other.
        let known = self.0.queue.callback_of(tx, enqueued.id).await?;
        if known.is_some_and(|known| known.payload["url"] == url) {
            Ok(enqueued)
        } else {
            let id = enqueued.id;
            let detail = format!(
                "the task {id} holds this unique_key already, and it calls another callback_url or none"
            );
            Err(Fault::conflict(detail))
        }
    }
}
