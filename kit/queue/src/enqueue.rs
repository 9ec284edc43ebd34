//! The only way in: inside of the transaction that causes the job.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Transaction, params};
use uuid::Uuid;

use crate::{Enqueued, Job, JobState, Queue, QueueError, store};

/// How often an enqueuer tries to get past a unique key that is being let go.
const UNIQUE_ATTEMPTS_MAX: usize = 4;

/// How full queues were when somebody last counted. Counting costs, so it is done now and then, and what was
/// enqueued here since then is added: the bound holds give or take what other processes enqueue meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Depths(Mutex<HashMap<String, Depth>>);

#[derive(Clone, Copy, Debug)]
struct Depth {
    count: u64,
    /// Counted anew from here on.
    stale_at: Instant,
    /// And from here on before anything is refused.
    recount_at: Instant,
}

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
        self.admit(tx, &job.queue, 1).await?;
        self.insert_job(tx, job).await
    }

    /// Adds a job whether the queue is full or not: what follows from a job that ended must not keep it from ending.
    pub(crate) async fn insert_job(&self, tx: &mut Transaction, job: Job) -> Result<Enqueued, QueueError> {
        let now = self.clock().now();
        let run_at = job.run_at.unwrap_or(now).max(now);
        let id = job.id.unwrap_or_else(|| self.clock().fresh_id());
        let lane_number = match &job.lane {
            Some(lane) => Some(store::enqueue::next_in_lane(tx, &job.queue, lane, now).await?),
            None => None,
        };
        for _ in 0..UNIQUE_ATTEMPTS_MAX {
            if store::enqueue::insert(tx, id, &job, run_at, now, lane_number).await?.is_some() {
                self.ring_after(tx, &job.queue, run_at);
                let state = store::enqueue::state(run_at, now);
                return Ok(Enqueued { id, fresh: true, state, created_at: now, run_at });
            }
            let Some(unique) = &job.unique else { continue };
            match store::enqueue::holder(tx, &job, unique).await? {
                Some((holder, Some(until))) if until <= now => store::enqueue::release(tx, holder.id).await?,
                Some((holder, _)) => {
                    // Due, though nobody looked.
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
        let mut first_due: HashMap<String, (Timestamp, u64)> = HashMap::new();
        let mut rows = Vec::with_capacity(jobs.len());
        for job in jobs {
            job.check()?;
            if job.unique.is_some() || job.lane.is_some() {
                return Err(QueueError::bad_job("unique, lane", "such jobs are enqueued one by one"));
            }
            let run_at = job.run_at.unwrap_or(now).max(now);
            let (due, count) = first_due.entry(job.queue.clone()).or_insert((run_at, 0));
            (*due, *count) = ((*due).min(run_at), *count + 1);
            rows.push((job.id.unwrap_or_else(|| self.clock().fresh_id()), job, run_at));
        }
        for (queue, (_, count)) in &first_due {
            self.admit(tx, queue, *count).await?;
        }
        store::enqueue::insert_many(tx, &rows, now).await?;
        for (queue, (due, _)) in first_due {
            self.ring_after(tx, &queue, due);
        }
        Ok(rows.into_iter().map(|(id, ..)| id).collect())
    }

    /// Wakes a worker once the transaction is committed.
    pub(crate) fn ring_after(&self, tx: &mut Transaction, queue: &str, due: Timestamp) {
        let (wakes, clock, queue) =
            (std::sync::Arc::clone(self.wakes()), self.clock().clone(), queue.to_owned());
        tx.after_commit(move || wakes.enqueued(&queue, due.as_micros(), clock.now().as_micros()));
    }

    /// Refuses jobs for a queue that is full.
    async fn admit(&self, tx: &mut Transaction, queue: &str, more: u64) -> Result<(), QueueError> {
        let depth_max = self.options().depth_max_of(queue);
        let depth = match self.depths().add(queue, more, depth_max) {
            Some(depth) => depth,
            None => {
                let started = Instant::now();
                let most = i64::try_from(depth_max.saturating_add(1)).unwrap_or(i64::MAX);
                let row = tx.row(&store::enqueue::COUNT_UNFINISHED, params![queue, most]).await?;
                let count: i64 = row.map_or(Ok(0), |row| row.get(0))?;
                self.depths().set(queue, count.unsigned_abs().saturating_add(more), started.elapsed())
            }
        };
        if depth > depth_max {
            let depth = depth.saturating_sub(more);
            return Err(QueueError::Full { queue: queue.to_owned(), depth, depth_max });
        }
        Ok(())
    }
}

impl Depths {
    /// Adds to what was counted last; nothing when that is too old. What would be refused is counted anew sooner:
    /// since the last count jobs may have ended.
    fn add(&self, queue: &str, more: u64, depth_max: u64) -> Option<u64> {
        let mut depths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let depth = depths.get_mut(queue).filter(|depth| now < depth.stale_at)?;
        let count = depth.count.saturating_add(more);
        if count > depth_max && now >= depth.recount_at {
            return None;
        }
        // What is refused is not there.
        if count <= depth_max {
            depth.count = count;
        }
        Some(count)
    }

    /// Keeps a count: for a second, and longer when counting was slow.
    fn set(&self, queue: &str, count: u64, took: Duration) -> u64 {
        let now = Instant::now();
        let stale_at = now + (took * 50).max(Duration::from_secs(1));
        let recount_at = now + (took * 10).max(Duration::from_millis(20));
        let mut depths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        depths.insert(queue.to_owned(), Depth { count, stale_at, recount_at });
        count
    }
}
