//! One load under way, and the callers that wait for it.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use crate::cache::Cache;
use crate::entry::{Entry, Source};

/// The error of a load, whatever its type.
pub(crate) type Failure = Arc<dyn Any + Send + Sync>;

/// How a load ended.
#[derive(Clone)]
pub(crate) enum Outcome {
    Done(Arc<Entry>, Source),
    Trouble(Trouble),
    /// The load was abandoned: callers that still wait start a new one.
    Abandoned,
}

/// Why there is no value.
#[derive(Clone)]
pub(crate) enum Trouble {
    Load(Failure),
    Deadline,
    LoadTimeout,
    WaitTimeout,
    Panicked,
    Protected,
    L2Down,
}

/// One load under way.
pub(crate) struct Flight {
    /// The database is read at this position or later.
    pub(crate) position: u64,
    /// The position that the caller must see: a value from Redis must also be this new.
    pub(crate) asked: u64,
    /// How many invalidations of tags, or of everything, this process knew when the load began.
    pub(crate) epoch: u64,
    outcome: OnceLock<Outcome>,
    landed: Notify,
    waiters: AtomicUsize,
}

impl Flight {
    pub(crate) fn new(position: u64, asked: u64, epoch: u64) -> Arc<Self> {
        let (outcome, landed) = (OnceLock::new(), Notify::new());
        Arc::new(Self { position, asked, epoch, outcome, landed, waiters: AtomicUsize::new(0) })
    }

    /// Counts a waiter; called under the lock of the stripe, so that who leaves the load sees who waits for it.
    pub(crate) fn join(self: &Arc<Self>) -> Waiter {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        Waiter(Arc::clone(self))
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome.get().cloned()
    }
}

/// One who waits for the load of another.
pub(crate) struct Waiter(Arc<Flight>);

impl Waiter {
    pub(crate) async fn outcome(&self) -> Outcome {
        let landed = self.0.landed.notified();
        tokio::pin!(landed);
        // Listening begins before looking: a landing in between is not missed.
        landed.as_mut().enable();
        if let Some(outcome) = self.0.outcome() {
            return outcome;
        }
        landed.await;
        self.0.outcome().unwrap_or(Outcome::Abandoned)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends the flight however its load ends: with an outcome, dropped half way, or by a panic.
pub(crate) struct Landing {
    pub(crate) cache: Cache,
    pub(crate) key: Box<[u8]>,
    pub(crate) hash: u64,
    pub(crate) flight: Arc<Flight>,
}

impl Landing {
    pub(crate) fn land(self, outcome: Outcome) {
        let _ = self.flight.outcome.set(outcome);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let ended =
            if std::thread::panicking() { Outcome::Trouble(Trouble::Panicked) } else { Outcome::Abandoned };
        let _ = self.flight.outcome.set(ended);
        self.cache.unlist(self.hash, &self.key, &self.flight);
        self.flight.landed.notify_waiters();
    }
}
