//! The metrics of the queue.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pando_telemetry::{Counter, Histogram, LATENCY_BUCKETS, Metrics};

use crate::verdict::Verdict;
use crate::{JobState, QueueError};

/// Where the queue counts.
#[derive(Debug)]
pub(crate) struct Gauges {
    metrics: Metrics,
    operations: Mutex<HashMap<&'static str, Operation>>,
    kinds: Mutex<HashMap<String, Histogram>>,
    completed: Counter,
    retried: Counter,
    dead: Counter,
    cancelled: Counter,
    handed_back: Counter,
    lost: Counter,
}

#[derive(Clone, Debug)]
struct Operation {
    ok: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl Gauges {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let attempts = |outcome| {
            metrics.counter("job_attempts", "Attempts of jobs, by how they ended", &[("outcome", outcome)])
        };
        Self {
            metrics: metrics.clone(),
            operations: Mutex::default(),
            kinds: Mutex::default(),
            completed: attempts("completed"),
            retried: attempts("retried"),
            dead: attempts("dead"),
            cancelled: attempts("cancelled"),
            handed_back: attempts("handed_back"),
            lost: attempts("lost"),
        }
    }

    /// Counts an operation of the queue itself.
    pub(crate) fn operation<T>(&self, name: &'static str, started: Instant, result: &Result<T, QueueError>) {
        let operation = self.operations.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let operation = operation.unwrap_or_else(|| self.add_operation(name));
        operation.seconds.observe_duration(started.elapsed());
        if result.is_ok() { operation.ok.inc() } else { operation.failed.inc() }
    }

    fn add_operation(&self, name: &'static str) -> Operation {
        let counter = |status| {
            let labels = [("operation", name), ("status", status)];
            self.metrics.counter("queue_operations", "Operations of queues, by outcome", &labels)
        };
        let operation = Operation {
            ok: counter("ok"),
            failed: counter("error"),
            seconds: self.metrics.histogram(
                "queue_operation_duration_seconds",
                "How long operations of queues took",
                &[("operation", name)],
                LATENCY_BUCKETS,
            ),
        };
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        operations.entry(name).or_insert(operation).clone()
    }

    /// Counts an attempt.
    pub(crate) fn attempt(&self, kind: &str, verdict: &Verdict, by_itself: bool, took: Duration) {
        match verdict {
            Verdict::Completed(_) => self.completed.inc(),
            Verdict::Settled if by_itself => self.completed.inc(),
            Verdict::Settled => self.lost.inc(),
            Verdict::Again(..) => self.retried.inc(),
            Verdict::Dead(_) => self.dead.inc(),
            Verdict::Cancelled => self.cancelled.inc(),
            Verdict::HandedBack => self.handed_back.inc(),
        }
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seconds) = kinds.get(kind) {
            return seconds.observe_duration(took);
        }
        let seconds = self.metrics.histogram(
            "job_duration_seconds",
            "How long attempts of jobs took",
            &[("kind", kind)],
            LATENCY_BUCKETS,
        );
        seconds.observe_duration(took);
        kinds.insert(kind.to_owned(), seconds);
    }

    /// Shows how many jobs a queue has in a state.
    pub(crate) fn depth(&self, queue: &str, state: JobState, count: u64) {
        let labels = [("queue", queue), ("state", state.as_str())];
        let gauge = self.metrics.gauge("queue_depth", "Jobs in a queue, by state", &labels);
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Shows for how long the job that waits longest has been due.
    pub(crate) fn oldest(&self, queue: &str, seconds: i64) {
        let help = "For how long the oldest waiting job of a queue has been due";
        self.metrics.gauge("queue_oldest_age_seconds", help, &[("queue", queue)]).set(seconds);
    }

    /// Shows how far behind a subscriber of the outbox is.
    pub(crate) fn outbox(&self, subscriber: &str, events: u64, seconds: i64) {
        let labels = [("subscriber", subscriber)];
        let help = "For how long the first event that a subscriber was not given has waited";
        self.metrics.gauge("outbox_lag_seconds", help, &labels).set(seconds.max(0));
        let depth = self.metrics.gauge("outbox_depth", "Events a subscriber was not given", &labels);
        depth.set(i64::try_from(events).unwrap_or(i64::MAX));
    }
}
