//! Jobs in this process: the queue, the registry of handlers, and the worker that runs them.

use std::time::Duration;

use anyhow::Result;
use pando_clock::Clock;
use pando_customers::PIPELINE;
use pando_database::Database;
use pando_queue::{Queue, QueueOptions, QueueParts, Registry, Schedule, Scheduler, Stopped, Worker};
use pando_telemetry::Metrics;

use crate::config::Config;
use crate::wiring;

/// The jobs that this process can run, and those that it enqueues by itself.
pub(crate) struct Jobs {
    queue: Queue,
    registry: Registry,
    schedules: Vec<Schedule>,
}

/// This process at work: it runs jobs, and enqueues those whose time has come.
pub(crate) struct Working {
    worker: Worker,
    scheduler: Scheduler,
}

impl Jobs {
    /// On a queue whose schema is up to date. Nothing is run yet.
    pub(crate) fn new(queue: &Queue, registry: Registry, schedules: Vec<Schedule>) -> Self {
        Self { queue: queue.clone(), registry, schedules }
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

/// Keeps kinds of jobs in the queues that their services have for them, where the settings do not say otherwise.
fn apart(mut options: QueueOptions) -> QueueOptions {
    for queue in wiring::own_queues() {
        let single = options.queues.entry(queue.name.to_owned()).or_default();
        single.concurrency = single.concurrency.or(Some(queue.concurrency));
        for kind in queue.kinds {
            options.kinds.entry((*kind).to_owned()).or_insert_with(|| queue.name.to_owned());
        }
    }
    options
}

/// The queue alone: enough to look at jobs, and to lead operators to them.
pub(crate) fn queue(config: &Config, database: &Database, metrics: &Metrics, clock: &Clock) -> Result<Queue> {
    let parts = QueueParts { database: database.clone(), clock: clock.clone(), metrics: metrics.clone() };
    let queue = Queue::new(parts, apart(config.queue.clone()))?;
    if config.customers.pipeline.enabled {
        queue.uses_reader(PIPELINE);
    }
    Ok(queue)
}
