//! How full the queues are, and whether another job is admitted.
//!
//! Counting is expensive, so each process counts now and then, outside of the transactions that enqueue: no transaction
//! waits for a count or fails with it. Between two counts a process adds the jobs that it enqueues itself. So the
//! limits are exact except for jobs that other processes enqueue within a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pando_resilience::Call;

use crate::settle::BUDGET;
use crate::store::enqueue as store;
use crate::{Queue, QueueError};

/// How long a count is good for, and how much longer than it took.
const KEPT: (Duration, u32) = (Duration::from_secs(1), 50);
/// The same, once something was refused: since then jobs may have ended.
const KEPT_WHEN_FULL: (Duration, u32) = (Duration::from_millis(20), 10);

/// How many jobs, and how many bytes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) jobs: u64,
    pub(crate) bytes: u64,
}

/// How much waits in each queue, as far as this process knows.
#[derive(Debug, Default)]
pub(crate) struct Depths(Mutex<HashMap<String, Depth>>);

#[derive(Clone, Copy, Debug)]
struct Depth {
    /// The last count, and the jobs that were enqueued here since then.
    waiting: Amount,
    /// The jobs that were enqueued here since the count under way began; `None` if no count is under way.
    meanwhile: Option<Amount>,
    /// When to count again, and when to do so once something is refused.
    stale_at: Instant,
    recount_at: Instant,
}

impl Amount {
    pub(crate) fn plus(self, more: Self) -> Self {
        let (jobs, bytes) = (self.jobs.saturating_add(more.jobs), self.bytes.saturating_add(more.bytes));
        Self { jobs, bytes }
    }

    fn at_least(self, other: Self) -> Self {
        Self { jobs: self.jobs.max(other.jobs), bytes: self.bytes.max(other.bytes) }
    }

    fn is_within(self, most: Self) -> bool {
        self.jobs <= most.jobs && self.bytes <= most.bytes
    }
}

impl Queue {
    /// Refuses jobs for a queue that is full.
    pub(crate) fn admit(&self, queue: &str, more: Amount) -> Result<(), QueueError> {
        let most = self.options().waiting_max_of(queue);
        let (before, count) = self.depths().add(queue, more, most);
        if count {
            let (this, name) = (self.clone(), queue.to_owned());
            pando_telemetry::spawn("queue.depth", async move { this.count_waiting(&name, most).await });
        }
        let after = before.plus(more);
        if after.is_within(most) {
            return Ok(());
        }
        let (depth, depth_max, unit) = match after.jobs > most.jobs {
            true => (before.jobs, most.jobs, "jobs"),
            false => (before.bytes, most.bytes, "bytes"),
        };
        Err(QueueError::Full { queue: queue.to_owned(), depth, depth_max, unit })
    }

    async fn count_waiting(&self, queue: &str, most: Amount) {
        let (call, started) = (Call::internal("queue.depth", BUDGET), Instant::now());
        let counted = store::waiting(&self.database().read_primary(&call), queue, most.jobs).await;
        if let Err(error) = &counted {
            tracing::warn!(%error, queue, "what waits could not be counted: the count before it is kept");
        }
        self.depths().set(queue, counted.ok(), started.elapsed());
    }
}

impl Depths {
    /// Adds to what waits, unless that would be too much: what waited before, and whether the caller shall have it
    /// counted.
    fn add(&self, queue: &str, more: Amount, most: Amount) -> (Amount, bool) {
        let mut depths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let unknown = Depth { waiting: Amount::default(), meanwhile: None, stale_at: now, recount_at: now };
        let depth = depths.entry(queue.to_owned()).or_insert(unknown);
        let before = depth.waiting;
        let fits = before.plus(more).is_within(most);
        let count = depth.meanwhile.is_none() && now >= if fits { depth.stale_at } else { depth.recount_at };
        if count {
            depth.meanwhile = Some(Amount::default());
        }
        // A refused job does not exist.
        if fits {
            depth.waiting = before.plus(more);
            depth.meanwhile = depth.meanwhile.map(|meanwhile| meanwhile.plus(more));
        }
        (before, count)
    }

    /// Keeps a count for a while, longer when counting was slow; one that failed leaves the count before it.
    fn set(&self, queue: &str, counted: Option<Amount>, took: Duration) {
        let now = Instant::now();
        let mut depths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(depth) = depths.get_mut(queue) else { return };
        let meanwhile = depth.meanwhile.take().unwrap_or_default();
        if let Some(counted) = counted {
            // The count saw some of the jobs that were enqueued meanwhile, and perhaps all of them.
            depth.waiting = counted.at_least(meanwhile);
        }
        depth.stale_at = now + KEPT.0.max(took * KEPT.1);
        depth.recount_at = now + KEPT_WHEN_FULL.0.max(took * KEPT_WHEN_FULL.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(jobs: u64) -> Amount {
        Amount { jobs, bytes: jobs * 10 }
    }

    #[test]
    fn a_count_that_fails_leaves_the_one_before() {
        let depths = Depths::default();
        assert_eq!(depths.add("a", jobs(1), jobs(5)), (jobs(0), true), "it was never counted");
        assert_eq!(depths.add("a", jobs(1), jobs(5)), (jobs(1), false), "somebody counts already");
        depths.set("a", Some(jobs(4)), Duration::ZERO);
        assert_eq!(depths.add("a", jobs(1), jobs(5)), (jobs(4), false));
        assert_eq!(depths.add("a", jobs(1), jobs(5)).0, jobs(5), "it is full");
        depths.set("a", None, Duration::ZERO);
        assert_eq!(depths.add("a", jobs(1), jobs(5)).0, jobs(5), "it is full still");
        assert_eq!(depths.add("b", jobs(1), jobs(5)).0, jobs(0), "another queue is not");
    }

    #[test]
    fn what_is_enqueued_during_a_count_is_not_forgotten() {
        let depths = Depths::default();
        depths.add("a", jobs(3), jobs(5));
        depths.set("a", Some(jobs(0)), Duration::ZERO);
        assert_eq!(depths.add("a", jobs(1), jobs(5)).0, jobs(3));
    }
}
