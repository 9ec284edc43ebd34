//! The operations of operators: inspect, cancel, pause, and handle dead letters.

use std::collections::BTreeMap;
use std::time::Duration;

use pando_clock::Timestamp;
use pando_resilience::{Call, Tenant};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::lanes::Lane;
use crate::store::{enqueue, manage as store, upkeep};
use crate::{Act, JobRecord, JobState, Queue, QueueError};

/// How many dead letters one transaction redrives.
const REDRIVE_BATCH: usize = 500;

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this state.
    pub state: Option<JobState>,
    /// Of this tenant.
    pub tenant: Option<Tenant>,
    /// Enqueued at or after this moment.
    pub since: Option<Timestamp>,
    /// Enqueued before this moment.
    pub before: Option<Timestamp>,
    /// Older than this one: the last of the page before.
    pub after: Option<Uuid>,
}

/// How a queue stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueStatus {
    /// Its name.
    pub queue: String,
    /// Nothing is claimed from it.
    pub paused: bool,
    /// How many jobs it has, by state; of those that ended, the dead.
    pub counts: BTreeMap<JobState, u64>,
    /// Since when the oldest waiting job has been due.
    pub oldest: Option<Timestamp>,
}

/// Dead letters that died of the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadGroup {
    /// Where they waited.
    pub queue: String,
    /// Which handler failed.
    pub kind: String,
    /// The fingerprint that their errors share.
    pub fingerprint: String,
    /// How many.
    pub count: u64,
    /// When the first of them died.
    pub first: Timestamp,
    /// When the last of them died.
    pub last: Timestamp,
    /// The error of one of them.
    pub error: String,
}

/// Which dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadSelection {
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// That died of this.
    pub fingerprint: Option<String>,
    /// This one.
    pub id: Option<Uuid>,
}

/// The effect of a redrive, or of a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Redriven {
    /// How many dead letters were selected.
    pub selected: u64,
    /// How many of them wait for a worker again.
    pub redriven: u64,
}

impl DeadSelection {
    fn redriven(&self, count: usize) -> Act<'_> {
        let Self { queue, kind, fingerprint, id } = self;
        Act {
            action: "dead_letters_redriven",
            resource: "queue",
            resource_id: queue.as_deref().unwrap_or_default(),
            details: json!({"count": count, "kind": kind, "fingerprint": fingerprint, "id": id}),
        }
    }
}

impl Queue {
    /// The caller's job with this id, if there is one.
    pub async fn find(&self, call: &Call, id: Uuid) -> Result<Option<JobRecord>, QueueError> {
        let read = self.database().read_primary(call);
        Ok(store::find(&read, call.tenant(), id, self.clock().now()).await?)
    }

    /// The job with this id, whosever it is: for operators.
    pub async fn find_of_any(&self, call: &Call, id: Uuid) -> Result<Option<JobRecord>, QueueError> {
        let read = self.database().read_primary(call);
        Ok(store::find_of_any(&read, id, self.clock().now()).await?)
    }

    /// Jobs, newest first.
    pub async fn list(
        &self,
        call: &Call,
        filter: &JobFilter,
        limit: usize,
    ) -> Result<Vec<JobRecord>, QueueError> {
        let read = self.database().read_primary(call);
        Ok(store::list(&read, filter, limit, self.clock().now()).await?)
    }

    /// Calls a job of the caller off: at once while it waits; while it runs, its attempt is stopped within moments, on whatever
    /// worker, and the state returned is `running`.
    pub async fn cancel(&self, call: &Call, id: Uuid) -> Result<JobState, QueueError> {
        let mut tx = self.database().transaction(call).await?;
        let now = self.clock().now();
        let Some(ended) = store::cancel(&mut tx, call.tenant(), id, now).await? else {
            let found = store::state(&mut tx, call.tenant(), id).await?;
            return Err(found.map_or(QueueError::NotFound, |state| QueueError::Ended { state }));
        };
        if ended.state.is_end() {
            self.after_end(&mut tx, std::slice::from_ref(&ended)).await?;
        }
        let (resource_id, details) = (&*id.to_string(), json!({"state": ended.state}));
        self.record(&mut tx, call, &Act { action: "job_cancelled", resource: "job", resource_id, details });
        tx.commit().await?;
        if ended.state == JobState::Running {
            self.wakes().cancel(id);
        }
        self.changed(id);
        Ok(ended.state)
    }

    /// No more jobs of the queue are claimed; running jobs continue.
    pub async fn pause(&self, call: &Call, queue: &str) -> Result<(), QueueError> {
        self.set_paused(call, queue, true).await
    }

    /// Claiming goes on.
    pub async fn resume(&self, call: &Call, queue: &str) -> Result<(), QueueError> {
        self.set_paused(call, queue, false).await
    }

    async fn set_paused(&self, call: &Call, queue: &str, paused: bool) -> Result<(), QueueError> {
        let mut tx = self.database().transaction(call).await?;
        store::set_paused(&mut tx, queue, paused).await?;
        if !paused {
            self.ring_after(&mut tx, queue, self.clock().now());
        }
        let action = if paused { "queue_paused" } else { "queue_resumed" };
        self.record(
            &mut tx,
            call,
            &Act { action, resource: "queue", resource_id: queue, details: json!({}) },
        );
        tx.commit().await?;
        tracing::info!(queue, paused, "a queue was paused or resumed");
        Ok(())
    }

    /// How every queue stands that has jobs, was paused, or is named in the options.
    pub async fn queues(&self, call: &Call) -> Result<Vec<QueueStatus>, QueueError> {
        let read = self.database().read_primary(call);
        let mut queues: BTreeMap<String, QueueStatus> = BTreeMap::new();
        let status =
            |queues: &mut BTreeMap<String, QueueStatus>, name: &str, change: &dyn Fn(&mut QueueStatus)| {
                change(queues.entry(name.to_owned()).or_insert_with(|| QueueStatus {
                    queue: name.to_owned(),
                    paused: false,
                    counts: BTreeMap::new(),
                    oldest: None,
                }));
            };
        for name in self.options().queues.keys() {
            status(&mut queues, name, &|_| {});
        }
        for ((name, state), count) in upkeep::counts(&read).await? {
            status(&mut queues, &name, &|it| {
                it.counts.insert(state, count);
            });
        }
        for (name, oldest) in upkeep::oldest(&read).await? {
            status(&mut queues, &name, &|it| it.oldest = Some(oldest));
        }
        for name in store::paused(&read).await? {
            status(&mut queues, &name, &|it| it.paused = true);
        }
        Ok(queues.into_values().collect())
    }

    /// Dead letters by what they died of, the most frequent first.
    pub async fn dead_groups(&self, call: &Call, limit: usize) -> Result<Vec<DeadGroup>, QueueError> {
        Ok(store::dead_groups(&self.database().read_primary(call), limit).await?)
    }

    /// Brings dead letters back, their attempts counted from the start, at most `rate_per_second` of them due in a
    /// second. `dry_run`: only counts.
    pub async fn redrive(
        &self,
        call: &Call,
        selection: &DeadSelection,
        rate_per_second: Option<f64>,
        dry_run: bool,
    ) -> Result<Redriven, QueueError> {
        let rate = rate_per_second.unwrap_or(f64::INFINITY);
        if rate.is_nan() || rate <= 0.0 {
            return Err(QueueError::bad_job("rate_per_second", "more than nothing"));
        }
        let start = self.clock().now();
        let selected = store::count_dead(&self.database().read_primary(call), selection, start).await?;
        let mut redriven = 0;
        if dry_run {
            return Ok(Redriven { selected, redriven });
        }
        loop {
            let mut tx = self.database().transaction(call).await?;
            let dead = store::lock_dead(&mut tx, selection, start, REDRIVE_BATCH).await?;
            if dead.is_empty() {
                break;
            }
            for (id, queue, lane) in &dead {
                #[expect(clippy::cast_precision_loss, reason = "nobody redrives 2^52 jobs")]
                let after = Duration::try_from_secs_f64(redriven as f64 / rate).unwrap_or(Duration::MAX);
                let due = start.plus_micros(i64::try_from(after.as_micros()).unwrap_or(i64::MAX));
                // At the end of its lane: those that came after it went on without it.
                let number = match lane {
                    Some(lane) => Some(enqueue::next_in_lane(&mut tx, queue, lane, start).await?),
                    None => None,
                };
                store::revive(&mut tx, *id, due, start, number).await?;
                let lane = lane.clone().map(|name| Lane { queue: queue.clone(), name });
                self.move_lanes_after(&mut tx, lane.into_iter().collect());
                self.ring_after(&mut tx, queue, due);
                redriven += 1;
            }
            self.record(&mut tx, call, &selection.redriven(dead.len()));
            tx.commit().await?;
            if dead.len() < REDRIVE_BATCH {
                break;
            }
        }
        Ok(Redriven { selected, redriven })
    }
}
