//! The worker of a process: a runner for each queue, one settler, and the upkeep.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::runner::Runner;
use crate::settle::settle_all;
use crate::{Queue, Registry, upkeep};

/// How many ends of attempts may wait to be written; beyond, attempts wait.
const SETTLEMENTS_MAX: usize = 10_000;
/// How long a stop waits, after the grace, for what does not stop when told.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The commands for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Claim and run.
    Working,
    /// Run what was begun.
    Finishing,
    /// Give back what was begun.
    HandingBack,
}

/// The fate of the jobs that a worker had when it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// They came to an end within the grace.
    pub finished: usize,
    /// They were given back, their attempts not counted.
    pub handed_back: usize,
}

/// Runs jobs until it is stopped. Dropped without [`Worker::stop`]: it stops at once, and its jobs are rescued by
/// others when their leases run out.
#[must_use = "a worker that is dropped stops"]
#[derive(Debug)]
pub struct Worker {
    phase: watch::Sender<Phase>,
    runners: Vec<JoinHandle<Stopped>>,
    settler: JoinHandle<()>,
}

impl Worker {
    /// Starts to run every kind of the registry, from every queue they or the options name: each queue has its own
    /// bound of jobs at once.
    pub fn start(queue: &Queue, registry: Registry) -> Self {
        let (phase, phases) = watch::channel(Phase::Working);
        let (settle, arrivals) = mpsc::channel(SETTLEMENTS_MAX);
        let registry = Arc::new(registry);
        let names = queue.options().queues_of(&registry);
        let runners = names
            .iter()
            .map(|name| {
                let (settle, phases) = (settle.clone(), phases.clone());
                let runner = Runner::new(queue.clone(), Arc::clone(&registry), name, settle, phases);
                pando_telemetry::spawn("queue.runner", runner.run())
            })
            .collect();
        let settler = pando_telemetry::spawn("queue.settler", settle_all(queue.clone(), arrivals));
        upkeep::start(queue, names, &phases);
        Self { phase, runners, settler }
    }

    /// Claims nothing more, lets what runs finish within `grace`, gives the rest back uncounted, and writes all of
    /// it down.
    pub async fn stop(self, grace: Duration) -> Stopped {
        let Self { phase, runners, settler } = self;
        phase.send_replace(Phase::Finishing);
        let mut ending = Box::pin(ended(runners));
        let stopped = match tokio::time::timeout(grace, &mut ending).await {
            Ok(stopped) => stopped,
            Err(_) => {
                phase.send_replace(Phase::HandingBack);
                tokio::time::timeout(STOP_PATIENCE, ending).await.unwrap_or_default()
            }
        };
        // The last sender is gone with the last attempt: the settler ends when everything is written.
        if tokio::time::timeout(STOP_PATIENCE, settler).await.is_err() {
            tracing::warn!(
                "not every end of an attempt could be written: the jobs are rescued when their leases run out"
            );
        }
        tracing::info!(finished = stopped.finished, handed_back = stopped.handed_back, "the worker stopped");
        stopped
    }
}

/// The fate of all jobs, once every runner has ended.
async fn ended(runners: Vec<JoinHandle<Stopped>>) -> Stopped {
    let mut total = Stopped::default();
    for runner in runners {
        let stopped = runner.await.unwrap_or_default();
        total.finished += stopped.finished;
        total.handed_back += stopped.handed_back;
    }
    total
}
