//! Free seats: a job that is enqueued where a worker is free begins there as soon as it is committed. It is written as
//! running, under a lease, so nobody has to be told of it, to look for it and to claim it.
//!
//! Only where the order does not ask for more: not in a lane, under a key or a rate, in a queue that is fair or has a
//! limit over all processes, nor while this process knows of others that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use pando_clock::Timestamp;
use pando_database::Transaction;
use tokio::sync::mpsc;

use crate::settle::Settlement;
use crate::store::claim::Claimed;
use crate::wake::Bell;
use crate::{Enqueued, Job, JobState, Queue, store};

/// The seats of one runner.
#[derive(Debug)]
pub(crate) struct Seats {
    kinds: Arc<Vec<String>>,
    bell: Arc<Bell>,
    /// How many jobs the runner would begin at once.
    free: AtomicUsize,
    /// How many of these somebody has, whose transaction has not ended.
    taken: AtomicUsize,
    door: mpsc::UnboundedSender<Given>,
}

/// A job on its way to its seat.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) claimed: Claimed,
    /// When its lease began.
    pub(crate) since: Instant,
    /// Kept until the runner counts the job itself.
    pub(crate) seat: Seat,
}

impl Seats {
    /// Opens seats for these kinds of jobs; none is free yet.
    pub(crate) fn open(
        kinds: &Arc<Vec<String>>,
        bell: &Arc<Bell>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Given>) {
        let (door, given) = mpsc::unbounded_channel();
        let (kinds, bell) = (Arc::clone(kinds), Arc::clone(bell));
        let seats = Self { kinds, bell, free: AtomicUsize::new(0), taken: AtomicUsize::new(0), door };
        (Arc::new(seats), given)
    }

    /// From now on so many are free, those that are taken included.
    pub(crate) fn offer(&self, free: usize) {
        self.free.store(free, Ordering::Release);
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// A seat for a job of this kind, if one is free.
    pub(crate) fn take(self: Arc<Self>, kind: &str) -> Option<Seat> {
        let another = |taken| (taken < self.free.load(Ordering::Acquire)).then_some(taken + 1);
        let known = self.kinds.iter().any(|known| known == kind);
        let taken = known && self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, another).is_ok();
        taken.then(|| Seat(self))
    }
}

/// A seat that is taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Seats>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        // The runner has room again for what waits elsewhere.
        self.0.bell.ring(i64::MAX);
    }
}

impl Queue {
    /// A seat in this process for a job that needs nothing but a free worker.
    pub(crate) fn seat_for(&self, job: &Job) -> Option<Seat> {
        let single = self.options().single(&job.queue);
        let plain = job.lane.is_none() && job.unique.is_none() && job.rate_key.is_none();
        let free = !single.fair && single.concurrency_total.is_none();
        let due = job.run_at.is_none_or(|due| due <= self.clock().now());
        if !(self.options().hand_over && plain && free && due) {
            return None;
        }
        self.wakes().seats(&job.queue)?.take(&job.kind)
    }

    /// Adds a job that begins once it is committed, unless its queue is paused: then it waits like any other.
    pub(crate) fn hand_over(&self, tx: &mut Transaction, job: Job, seat: Seat) -> Enqueued {
        let (now, since) = (self.clock().now(), Instant::now());
        let lease_micros = i64::try_from(self.options().lease().as_micros()).unwrap_or(i64::MAX);
        let claimed = self.claimed_at_birth(&job, now);
        let (id, running) = (claimed.id, Arc::new(AtomicBool::new(false)));
        let is_running = Arc::clone(&running);
        let lease_until = now.plus_micros(lease_micros);
        store::enqueue::insert_running(tx, &claimed, &job, lease_until, move |begins| {
            is_running.store(begins, Ordering::Release);
        });
        let queue = self.clone();
        // When nobody knows whether it exists its lease runs out, and it is rescued if it does.
        tx.once_committed(move || {
            if running.load(Ordering::Acquire) {
                seat.give(queue, &job.queue, claimed, since);
            }
        });
        Enqueued { id, fresh: true, state: JobState::Pending, created_at: now, run_at: now }
    }

    fn claimed_at_birth(&self, job: &Job, now: Timestamp) -> Claimed {
        Claimed {
            id: job.id.unwrap_or_else(|| self.clock().fresh_id()),
            lease: self.clock().fresh_id(),
            kind: job.kind.clone(),
            payload: job.payload.clone(),
            priority: job.priority.into(),
            attempts: 1,
            attempts_max: job.attempts_max.into(),
            run_at: now,
            created_at: now,
            tenant: job.tenant.clone(),
            rate_key: None,
            rate_granted: false,
            settings: job.settings.clone(),
            cursor: None,
            in_lane: false,
        }
    }
}

impl Seat {
    /// Hands the job to the runner; when that has stopped meanwhile, back to all.
    fn give(self, queue: Queue, name: &str, claimed: Claimed, since: Instant) {
        let door = self.0.door.clone();
        let Err(mpsc::error::SendError(given)) = door.send(Given { claimed, since, seat: self }) else {
            return;
        };
        let settlement = Settlement::begun(name, &given.claimed, false);
        pando_telemetry::spawn("queue.hand_back", async move {
            if let Err(error) = queue.settle(&[settlement]).await {
                // Its lease runs out, and it is rescued.
                tracing::warn!(%error, "a job that was born for a worker that stopped could not be handed back");
            }
        });
    }
}
