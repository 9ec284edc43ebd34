//! Lanes: the first unfinished job of a lane can be claimed; the jobs behind it cannot.
//!
//! When a job of a lane ends, a second transaction, after the one that ended the job, makes the next job claimable. On
//! PostgreSQL a job may be enqueued behind another one that ends at the same moment, and neither transaction sees the
//! other. So the lane is also checked after the transaction that enqueued. The later of the two checks sees both jobs.
//! If a process dies in between, the upkeep of any other process finds the lane that does not move.
//!
//! None of this takes a lock, so a transaction that stays open delays no lane: the numbers of a lane follow the
//! commits, so the first unfinished job that a process sees is really the first.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pando_database::{Engine, Transaction};
use pando_resilience::Call;

use crate::settle::BUDGET;
use crate::store::lanes as store;
use crate::{Job, Queue, QueueError};

/// How many lanes that stand still are looked up at once.
const STILL_MAX: usize = 500;

/// A lane of a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) queue: String,
    pub(crate) name: String,
}

/// The lanes that are to be looked at: while one transaction is under way, the next gathers.
#[derive(Debug, Default)]
pub(crate) struct MovingLanes(Mutex<(BTreeSet<Lane>, bool)>);

impl MovingLanes {
    /// Adds lanes; whether the caller shall move them.
    fn add(&self, lanes: BTreeSet<Lane>) -> bool {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0.extend(lanes);
        !std::mem::replace(&mut inner.1, true)
    }

    /// The lanes that were added since the last call. With an empty set, the task that moves lanes ends.
    fn take(&self) -> BTreeSet<Lane> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.1 = !inner.0.is_empty();
        std::mem::take(&mut inner.0)
    }

    /// Whether no lane is being moved, nor is to be.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn at_rest(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

impl Queue {
    /// Looks at these lanes once the transaction is committed.
    pub(crate) fn move_lanes_after(&self, tx: &mut Transaction, lanes: BTreeSet<Lane>) {
        if lanes.is_empty() {
            return;
        }
        let queue = self.clone();
        tx.after_commit(move || {
            if queue.moving_lanes().add(lanes) {
                pando_telemetry::spawn("queue.lanes", async move { queue.keep_moving_lanes().await });
            }
        });
    }

    /// The same for an enqueued job. SQLite has one writer, so a transaction that ends a job sees every job behind it.
    pub(crate) fn move_lane_of(&self, tx: &mut Transaction, job: &Job) {
        if let Some(name) = &job.lane
            && self.database().engine() == Engine::Postgres
        {
            let lane = Lane { queue: job.queue.clone(), name: name.clone() };
            self.move_lanes_after(tx, BTreeSet::from([lane]));
        }
    }

    async fn keep_moving_lanes(&self) {
        loop {
            let lanes = self.moving_lanes().take();
            if lanes.is_empty() {
                return;
            }
            if let Err(error) = self.move_lanes(&lanes).await {
                tracing::warn!(%error, "lanes could not be moved: the upkeep will find them");
            }
        }
    }

    /// Lets the first job of each of these lanes forward, where it is not.
    async fn move_lanes(&self, lanes: &BTreeSet<Lane>) -> Result<(), QueueError> {
        let call = Call::internal("queue.lanes", BUDGET);
        // If this is lost with its server, the upkeep finds the lane.
        let mut tx = self.database().transaction_unflushed(&call).await?;
        let now = self.clock().now();
        // In their order: two that move several lanes never wait for each other in a circle.
        for lane in lanes {
            store::move_forward(&mut tx, lane, now);
            // One that is due later is found by a look, as every job that is.
            self.ring_after(&mut tx, &lane.queue, now);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Moves the lanes of these queues that stand still, because a process died; how many.
    pub(crate) async fn repair_lanes(&self, queues: &[String]) -> Result<usize, QueueError> {
        let mut repaired = 0;
        for queue in queues {
            let call = Call::internal("queue.lanes", BUDGET);
            let still = store::standing_still(&self.database().read_primary(&call), queue, STILL_MAX).await?;
            let lanes: BTreeSet<Lane> =
                still.into_iter().map(|name| Lane { queue: queue.clone(), name }).collect();
            if !lanes.is_empty() {
                self.move_lanes(&lanes).await?;
            }
            repaired += lanes.len();
        }
        Ok(repaired)
    }
}
