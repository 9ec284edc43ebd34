//! Enqueues jobs, always within the transaction that causes them.

use std::collections::HashMap;
use std::time::Instant;

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Transaction};
use uuid::Uuid;

use crate::admission::Amount;
use crate::{Enqueued, Job, JobState, Queue, QueueError, store};

/// How often an enqueuer tries to get past a unique key that is being let go.
const UNIQUE_ATTEMPTS_MAX: usize = 4;

impl Queue {
    /// Adds a job to the transaction: it exists if and only if the transaction is committed.
    pub async fn enqueue(&self, tx: &mut Transaction, job: Job) -> Result<Enqueued, QueueError> {
        let started = Instant::now();
        let result = self.enqueue_job(tx, job).await;
        self.gauges().operation("enqueue", started, &result);
        result
    }

    /// Adds many jobs at once, by COPY where there is one; their ids, in order. None of them may have a unique key
    /// or a lane.
    pub async fn enqueue_many(&self, tx: &mut Transaction, jobs: Vec<Job>) -> Result<Vec<Uuid>, QueueError> {
        let started = Instant::now();
        let result = self.enqueue_jobs(tx, jobs).await;
        self.gauges().operation("enqueue_many", started, &result);
        result
    }

    async fn enqueue_job(&self, tx: &mut Transaction, job: Job) -> Result<Enqueued, QueueError> {
        job.check()?;
        let job = self.placed(job);
        self.admit(&job.queue, Amount { jobs: 1, bytes: store::enqueue::size(&job) })?;
        self.insert_job(tx, job).await
    }

    /// Adds a job even if the queue is full, because a following job must not prevent the end of the job before it.
    pub(crate) async fn insert_job(&self, tx: &mut Transaction, job: Job) -> Result<Enqueued, QueueError> {
        let job = self.placed(job).scoped();
        let now = self.clock().now();
        let run_at = job.run_at.unwrap_or(now).max(now);
        let id = job.id.unwrap_or_else(|| self.clock().fresh_id());
        let lane_number = match &job.lane {
            Some(lane) => Some(store::enqueue::next_in_lane(tx, &job.queue, lane, now).await?),
            None => None,
        };
        for _ in 0..UNIQUE_ATTEMPTS_MAX {
            if store::enqueue::insert(tx, id, &job, run_at, now, lane_number).await?.is_some() {
                self.move_lane_of(tx, &job);
                self.ring_after(tx, &job.queue, run_at);
                let state = store::enqueue::state(run_at, now);
                return Ok(Enqueued { id, fresh: true, state, created_at: now, run_at });
            }
            let Some(unique) = &job.unique else { continue };
            match store::enqueue::holder(tx, &job, unique).await? {
                Some((holder, Some(until))) if until <= now => store::enqueue::release(tx, holder.id).await?,
                Some((holder, _)) => {
                    // Due, but not yet made claimable.
                    let waits = holder.state == JobState::Scheduled && holder.run_at <= now;
                    return Ok(Enqueued {
                        state: if waits { JobState::Pending } else { holder.state },
                        ..holder
                    });
                }
                // It ended between the two statements.
                None => {}
            }
        }
        Err(DatabaseError::Contention { name: "queue.enqueue" }.into())
    }

    async fn enqueue_jobs(&self, tx: &mut Transaction, jobs: Vec<Job>) -> Result<Vec<Uuid>, QueueError> {
        let now = self.clock().now();
        let mut queues: HashMap<String, (Timestamp, Amount)> = HashMap::new();
        let mut rows = Vec::with_capacity(jobs.len());
        for job in jobs {
            job.check()?;
            let job = self.placed(job).scoped();
            if job.unique.is_some() || job.lane.is_some() {
                return Err(QueueError::bad_job("unique, lane", "such jobs are enqueued one by one"));
            }
            let run_at = job.run_at.unwrap_or(now).max(now);
            let more = Amount { jobs: 1, bytes: store::enqueue::size(&job) };
            let (first_due, amount) = queues.entry(job.queue.clone()).or_insert((run_at, Amount::default()));
            (*first_due, *amount) = ((*first_due).min(run_at), amount.plus(more));
            rows.push((job.id.unwrap_or_else(|| self.clock().fresh_id()), job, run_at));
        }
        for (queue, (_, amount)) in &queues {
            self.admit(queue, *amount)?;
        }
        store::enqueue::insert_many(tx, &rows, now).await?;
        for (queue, (due, _)) in queues {
            self.ring_after(tx, &queue, due);
        }
        Ok(rows.into_iter().map(|(id, ..)| id).collect())
    }

    /// The job in the queue of its kind, unless it names another.
    fn placed(&self, job: Job) -> Job {
        Job { queue: self.options().queue_of(&job.kind, &job.queue), ..job }
    }

    /// Wakes a worker once the transaction is committed.
    pub(crate) fn ring_after(&self, tx: &mut Transaction, queue: &str, due: Timestamp) {
        let (wakes, clock, queue) =
            (std::sync::Arc::clone(self.wakes()), self.clock().clone(), queue.to_owned());
        tx.after_commit(move || wakes.enqueued(&queue, due.as_micros(), clock.now().as_micros()));
    }
}
