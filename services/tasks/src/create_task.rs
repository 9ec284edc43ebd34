//! Stores a task that runs as soon as possible or at a given moment.

use pando_clock::Timestamp;
use pando_database::{Token, Transaction};
use pando_queue::{Enqueued, Job};
use pando_resilience::Call;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::task::TaskStatus;
use crate::{TaskError, TaskRequest, Tasks};

/// The stored task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
    /// Stores a task in a transaction of its own. A returned task is stored.
    pub async fn create_task(
        &self,
        call: &Call,
        request: TaskRequest,
    ) -> Result<(Created, Token), TaskError> {
        let mut tx = self.0.queue.database().transaction(call).await?;
        let created = self.create_task_in(&mut tx, request).await?;
        Ok((created, tx.commit().await?))
    }

    /// Adds a task to a transaction.
    pub(crate) async fn create_task_in(
        &self,
        tx: &mut Transaction,
        request: TaskRequest,
    ) -> Result<Created, TaskError> {
        let now = self.0.queue.clock().now();
        let TaskRequest { job, delay, callback } = request;
        let due = now.plus_micros(i64::try_from(delay.as_micros()).unwrap_or(i64::MAX));
        let job = Job { run_at: Some(job.run_at.unwrap_or(due)), ..job };
        let enqueued = match callback {
            None => self.0.queue.enqueue(tx, job).await?,
            Some(callback) => self.create_with_callback(tx, job, callback).await?,
        };
        let Enqueued { id, state, created_at, run_at, .. } = enqueued;
        Ok(Created { id, task_id: id, status: TaskStatus::of(state), created_at, run_at })
    }

    /// The address is called when the task has ended, in whatever way.
    async fn create_with_callback(
        &self,
        tx: &mut Transaction,
        job: Job,
        mut callback: Job,
    ) -> Result<Enqueued, TaskError> {
        let id = self.0.queue.clock().fresh_id();
        let url = callback.payload["url"].clone();
        if let Some(payload) = callback.payload.as_object_mut() {
            payload.insert("body".to_owned(), serde_json::json!({"task_id": id}));
        }
        let enqueued = self.0.queue.enqueue_with_callback(tx, Job { id: Some(id), ..job }, callback).await?;
        if enqueued.fresh {
            return Ok(enqueued);
        }
        // The task that holds the unique key calls the address that it was given, and no other.
        let known = self.0.queue.callback_of(tx, enqueued.id).await?;
        if known.is_some_and(|known| known.payload["url"] == url) {
            Ok(enqueued)
        } else {
            Err(TaskError::OtherCallback { id: enqueued.id })
        }
    }
}
