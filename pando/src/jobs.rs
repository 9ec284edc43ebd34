//! Jobs in this process: the queue, the registry of handlers, and the worker that runs them.

use std::time::Duration;

use anyhow::Result;
use pando_clock::Clock;
use pando_database::Database;
use pando_idempotency::Idempotency;
use pando_profiles::{Images, Profiles};
use pando_queue::{Queue, QueueOptions, QueueParts, Registry, Schedule, Scheduler, Stopped, Worker};
use pando_tasks::{Tasks, TasksParts};
use pando_telemetry::Metrics;

use crate::config::Config;

/// The queue, and who is around it.
pub(crate) struct Jobs {
    queue: Queue,
    registry: Registry,
    schedules: Vec<Schedule>,
    tasks: Tasks,
}

/// This process at work: it runs jobs, and enqueues those whose time has come.
pub(crate) struct Working {
    worker: Worker,
    scheduler: Scheduler,
}

impl Jobs {
    /// On a queue whose schema is up to date. Nothing is run yet.
    pub(crate) fn open(
        config: &Config,
        queue: &Queue,
        idempotency: Idempotency,
        profiles: &Profiles,
        images: &Images,
    ) -> Result<Self> {
        let mut registry = Registry::default();
        pando_tasks::add_kinds(&mut registry, &config.tasks_options())?;
        profiles.add_kinds(&mut registry)?;
        images.add_kinds(&mut registry)?;
        let schedules = images.schedules(&registry)?;
        let parts = TasksParts { queue: queue.clone(), registry: registry.clone(), idempotency };
        let tasks = Tasks::new(parts, config.tasks_options())?;
        Ok(Self { queue: queue.clone(), registry, schedules, tasks })
    }

    /// The service.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Starts to run jobs.
    pub(crate) fn work(self) -> Result<Working> {
        let scheduler = Scheduler::start(&self.queue, self.schedules)?;
        Ok(Working { worker: Worker::start(&self.queue, self.registry), scheduler })
    }
}

impl Working {
    /// Enqueues nothing more by itself, lets jobs finish within `grace` and gives the rest back.
    pub(crate) async fn stop(self, grace: Duration) -> Stopped {
        self.scheduler.stop().await;
        self.worker.stop(grace).await
    }
}

/// Where answers to repeated requests are kept.
pub(crate) fn idempotency(config: &Config, queue: &Queue, metrics: &Metrics) -> Result<Idempotency> {
    Ok(Idempotency::new(queue.database(), queue.clock(), metrics, config.idempotency.clone())?)
}

/// Kinds of jobs that are slow, may hang, or must not wait for those: their queues, and how many of each a process runs
/// at once.
const APART: &[(&str, usize, &[&str])] = &[
    ("erasure", 2, &["erase", "image_blobs_remove"]),
    ("exports", 2, &["export"]),
    ("imports", 2, &["import", "profile_reindex"]),
    ("images", 4, &["image_variants", "image_sweep"]),
    ("callbacks", 64, &["http_callback"]),
    ("sleep", 64, &["sleep"]),
];

/// Keeps those kinds apart, where the settings do not say otherwise.
fn apart(mut options: QueueOptions) -> QueueOptions {
    for (queue, concurrency, kinds) in APART {
        let single = options.queues.entry((*queue).to_owned()).or_default();
        single.concurrency = single.concurrency.or(Some(*concurrency));
        for kind in *kinds {
            options.kinds.entry((*kind).to_owned()).or_insert_with(|| (*queue).to_owned());
        }
    }
    options
}

/// The queue alone: enough to look at jobs, and to lead operators to them.
pub(crate) fn queue(config: &Config, database: &Database, metrics: &Metrics, clock: &Clock) -> Result<Queue> {
    let parts = QueueParts { database: database.clone(), clock: clock.clone(), metrics: metrics.clone() };
    Ok(Queue::new(parts, apart(config.queue.clone()))?)
}
