//! The metrics of the pipeline.

use pando_service::prelude::*;
use pando_telemetry::{Counter, Gauge, Histogram, LATENCY_BUCKETS, Metrics};

/// Where the pipeline counts.
pub(crate) struct Meters {
    metrics: Metrics,
    pub(crate) customers: Counter,
    pub(crate) bytes: Counter,
    pub(crate) processing: Histogram,
    pub(crate) upload: Histogram,
    pub(crate) queue_depth: Gauge,
    active_batches: Gauge,
    last_success: Gauge,
}

/// A batch on its way, which counts until it is dropped.
pub(crate) struct Active(Gauge);

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let seconds = |name, help| metrics.histogram(name, help, &[], LATENCY_BUCKETS);
        let gauge = |name, help| metrics.gauge(name, help, &[]);
        let meters = Self {
            customers: metrics.counter("pipeline_customers_processed", "Customers that were archived", &[]),
            bytes: metrics.counter("pipeline_bytes_uploaded", "Bytes of objects that were archived", &[]),
            processing: seconds("pipeline_processing_duration_seconds", "How long batches took"),
            upload: seconds("pipeline_upload_duration_seconds", "How long uploads of objects took"),
            queue_depth: gauge("pipeline_queue_depth", "Events that the pipeline has not read"),
            active_batches: gauge("pipeline_active_batches", "Batches that are being archived"),
            last_success: gauge(
                "pipeline_last_success_timestamp",
                "When the pipeline last had nothing left to do, in seconds since 1970",
            ),
            metrics: metrics.clone(),
        };
        // There from the start, so that an alert can tell none from nothing known.
        for reason in ["read", "upload", "commit", "row"] {
            meters.errors(reason);
        }
        meters
    }

    /// Counts what went wrong at a step.
    pub(crate) fn counted<T>(&self, step: &'static str, result: Result<T, Fault>) -> Result<T, Fault> {
        if result.is_err() {
            self.errors(step).inc();
        }
        result
    }

    /// Counts dead letters.
    pub(crate) fn dead(&self, count: usize) {
        self.errors("row").inc_by(count as u64);
    }

    /// One batch more is on its way.
    pub(crate) fn active(&self) -> Active {
        self.active_batches.inc();
        Active(self.active_batches.clone())
    }

    /// Nothing is left to do.
    pub(crate) fn succeeded(&self, now: Timestamp) {
        self.last_success.set(now.as_micros() / 1_000_000);
    }

    fn errors(&self, reason: &'static str) -> Counter {
        self.metrics.counter("pipeline_errors", "Errors of the pipeline, by step", &[("reason", reason)])
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}
