//! The queue: the handle that every part of the program holds.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use pando_clock::Clock;
use pando_database::Database;
use pando_telemetry::Metrics;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::admission::Depths;
use crate::gauges::Gauges;
use crate::lanes::MovingLanes;
use crate::wake::Wakes;
use crate::{QueueError, QueueOptions, Recorder};

/// How many changes a watcher may be behind before it must read the jobs itself.
const CHANGES_MAX: usize = 1_024;

/// The parts that the queue needs.
#[derive(Clone, Debug)]
pub struct QueueParts {
    /// Where jobs are kept.
    pub database: Database,
    /// Where times and ids come from.
    pub clock: Clock,
    /// Where its metrics go.
    pub metrics: Metrics,
}

/// Durable jobs. Cloning shares it.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

/// A handle that keeps nothing open.
#[derive(Clone)]
pub(crate) struct WeakQueue(Weak<Inner>);

struct Inner {
    database: Database,
    clock: Clock,
    options: QueueOptions,
    /// Tells what was written by this process from what others wrote.
    origin: Uuid,
    wakes: Arc<Wakes>,
    gauges: Gauges,
    depths: Depths,
    moving_lanes: MovingLanes,
    changes: broadcast::Sender<Uuid>,
    /// The readers of events that these settings name.
    readers: Mutex<BTreeSet<String>>,
    recorder: OnceLock<Recorder>,
}

impl Queue {
    /// Opens the queue of a database that was migrated. Must be called in a runtime: it listens for wake-ups.
    pub fn new(parts: QueueParts, options: QueueOptions) -> Result<Self, QueueError> {
        options.check()?;
        let QueueParts { database, clock, metrics } = parts;
        let wakes = Wakes::open(database.channel("pando_queue"), Duration::from_millis(options.notify_ms));
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let gauges = Gauges::new(&metrics);
        let origin = clock.fresh_id();
        Ok(Self(Arc::new(Inner {
            database,
            clock,
            options,
            origin,
            wakes,
            gauges,
            depths: Depths::default(),
            moving_lanes: MovingLanes::default(),
            changes,
            readers: Mutex::default(),
            recorder: OnceLock::new(),
        })))
    }

    /// Where jobs are kept.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Where times and ids come from.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The options of this queue.
    pub fn options(&self) -> &QueueOptions {
        &self.0.options
    }

    /// The ids of jobs that change in this process. They are only hints: changes by other processes are not among them, so a
    /// watcher must also read the jobs now and then.
    pub fn watch(&self) -> broadcast::Receiver<Uuid> {
        self.0.changes.subscribe()
    }

    /// Says that the settings of this process name the [reader](crate::EventReader). The status for operators then calls the reader
    /// used, although no process holds its place while it does not read.
    pub fn uses_reader(&self, name: &str) {
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    pub(crate) fn is_used_reader(&self, name: &str) -> bool {
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    pub(crate) fn recorder(&self) -> &OnceLock<Recorder> {
        &self.0.recorder
    }

    pub(crate) fn changed(&self, id: Uuid) {
        if self.0.changes.receiver_count() > 0 {
            // Nobody listening any more is fine.
            let _ = self.0.changes.send(id);
        }
    }

    pub(crate) fn origin(&self) -> Uuid {
        self.0.origin
    }

    pub(crate) fn downgrade(&self) -> WeakQueue {
        WeakQueue(Arc::downgrade(&self.0))
    }

    pub(crate) fn wakes(&self) -> &Arc<Wakes> {
        &self.0.wakes
    }

    pub(crate) fn gauges(&self) -> &Gauges {
        &self.0.gauges
    }

    pub(crate) fn depths(&self) -> &Depths {
        &self.0.depths
    }

    pub(crate) fn moving_lanes(&self) -> &MovingLanes {
        &self.0.moving_lanes
    }
}

impl WeakQueue {
    /// The queue, if somebody still holds it.
    pub(crate) fn upgrade(&self) -> Option<Queue> {
        self.0.upgrade().map(Queue)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("database", &self.0.database).finish_non_exhaustive()
    }
}
