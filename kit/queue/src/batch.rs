//! The consequences of the end of a job: batches with a callback, and chains.

use std::collections::BTreeMap;

use pando_database::Transaction;
use pando_resilience::Call;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::store::batch as store;
use crate::store::settle::Ended;
use crate::{Enqueued, Job, JobState, Queue, QueueError};

/// A batch that was enqueued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: Uuid,
    /// The ids of its jobs, in order.
    pub jobs: Vec<Uuid>,
}

/// How a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BatchStatus {
    /// How many jobs it has.
    pub total: u64,
    /// How many of them have not ended.
    pub unfinished: u64,
    /// How many of them ended without being completed.
    pub failed: u64,
}

impl Queue {
    /// Adds many jobs that are counted together. The transaction that ends the last of them enqueues `callback`. If the
    /// callback's payload is an object, its member `batch` says how the jobs ended: `total`, `failed` (including cancelled
    /// jobs), and in `last` and `last_job` the state and the id of the job that ended last. A dead job that is redriven later
    /// no longer belongs to the batch.
    pub async fn enqueue_batch(
        &self,
        tx: &mut Transaction,
        jobs: Vec<Job>,
        callback: Option<Job>,
    ) -> Result<Batch, QueueError> {
        callback.as_ref().map_or(Ok(()), Job::check)?;
        let (id, now) = (self.clock().fresh_id(), self.clock().now());
        let document = callback.as_ref().map(document_of).transpose()?;
        let jobs: Vec<Job> = jobs.into_iter().map(|job| Job { batch: Some(id), ..job }).collect();
        let (ids, counted) = if jobs.iter().any(|job| job.unique.is_some() || job.lane.is_some()) {
            self.enqueue_each(tx, jobs).await?
        } else {
            let ids = self.enqueue_many(tx, jobs).await?;
            let count = ids.len();
            (ids, count)
        };
        if let (0, Some(callback)) = (counted, callback) {
            let status = BatchStatus { total: 0, unfinished: 0, failed: 0 };
            self.insert_job(tx, with_field(callback, "batch", status_of(id, status, None))).await?;
        }
        store::insert(tx, id, counted, document, now).await?;
        Ok(Batch { id, jobs: ids })
    }

    /// Adds one job, and a callback that is enqueued when it has ended. When the job's unique key is taken, nothing is
    /// added: neither the job nor the callback.
    pub async fn enqueue_with_callback(
        &self,
        tx: &mut Transaction,
        job: Job,
        callback: Job,
    ) -> Result<Enqueued, QueueError> {
        callback.check()?;
        let callback = callback.of_tenant(&job.tenant);
        let (id, now) = (self.clock().fresh_id(), self.clock().now());
        let enqueued = self.enqueue(tx, Job { batch: Some(id), ..job }).await?;
        if enqueued.fresh {
            store::insert(tx, id, 1, Some(document_of(&callback)?), now).await?;
        }
        Ok(enqueued)
    }

    /// The callback that is enqueued when the batch of this job has ended, as long as the batch is kept.
    pub async fn callback_of(&self, tx: &mut Transaction, job: Uuid) -> Result<Option<Job>, QueueError> {
        let document = store::callback_of(tx, job).await?;
        Ok(document.and_then(|document| serde_json::from_value(document).ok()))
    }

    /// One after the other: those whose unique key is taken are not of the batch, and the holder's id stands for them.
    async fn enqueue_each(
        &self,
        tx: &mut Transaction,
        jobs: Vec<Job>,
    ) -> Result<(Vec<Uuid>, usize), QueueError> {
        let (mut ids, mut counted) = (Vec::with_capacity(jobs.len()), 0);
        for job in jobs {
            let enqueued = self.enqueue(tx, job).await?;
            counted += usize::from(enqueued.fresh);
            ids.push(enqueued.id);
        }
        Ok((ids, counted))
    }

    /// How a batch stands.
    pub async fn batch(&self, call: &Call, id: Uuid) -> Result<Option<BatchStatus>, QueueError> {
        Ok(store::find(&self.database().read_primary(call), id).await?)
    }

    /// Does what hangs on the end of jobs, in the transaction that ends them; their lanes are moved behind it.
    pub(crate) async fn after_end(&self, tx: &mut Transaction, ended: &[Ended]) -> Result<(), QueueError> {
        self.move_lanes_after(tx, ended.iter().filter_map(Ended::lane).collect());
        // In the order of their ids: two that end jobs of several batches never wait in a circle.
        let mut batches: BTreeMap<Uuid, (i64, i64, &Ended)> = BTreeMap::new();
        for job in ended.iter().filter(|job| job.state.is_end()) {
            if let Some(batch) = job.batch {
                let counts = batches.entry(batch).or_insert((0, 0, job));
                counts.0 += 1;
                counts.1 += i64::from(job.state != JobState::Completed);
                counts.2 = job;
            }
            if let (JobState::Completed, Some(sequel)) = (job.state, &job.sequel) {
                self.follow(tx, sequel, job.result.clone()).await?;
            }
        }
        let now = self.clock().now();
        for (id, (ended, failed, last)) in batches {
            if let Some((status, Some(callback))) = store::count_down(tx, id, (ended, failed), now).await?
                && status.unfinished == 0
                && let Ok(callback) = serde_json::from_value::<Job>(callback)
            {
                self.insert_job(tx, with_field(callback, "batch", status_of(id, status, Some(last)))).await?;
            }
        }
        Ok(())
    }

    /// Enqueues the next job of a chain, and the rest of the chain behind it.
    async fn follow(
        &self,
        tx: &mut Transaction,
        sequel: &Value,
        result: Option<Value>,
    ) -> Result<(), QueueError> {
        // It was written by `enqueue`, from a chain that was checked.
        let mut chain: Vec<Job> = serde_json::from_value(sequel.clone())
            .map_err(|error| QueueError::bad_job("then", error.to_string()))?;
        if chain.is_empty() {
            return Ok(());
        }
        let mut next = chain.remove(0);
        next.then.extend(chain);
        self.insert_job(tx, with_field(next, "previous", result.unwrap_or(Value::Null))).await.map(drop)
    }
}

fn document_of(callback: &Job) -> Result<Value, QueueError> {
    serde_json::to_value(callback).map_err(|error| QueueError::bad_job("callback", error.to_string()))
}

fn status_of(id: Uuid, status: BatchStatus, last: Option<&Ended>) -> Value {
    let (job, state) = (last.map(|job| job.id), last.map(|job| job.state));
    json!({"id": id, "total": status.total, "failed": status.failed, "last": state, "last_job": job})
}

fn with_field(mut job: Job, name: &str, value: Value) -> Job {
    if let Value::Object(payload) = &mut job.payload {
        payload.insert(name.to_owned(), value);
    }
    job
}
