//! Acts of operators and clients about jobs, which a log may record.

use std::sync::Arc;

use pando_database::Transaction;
use pando_resilience::Call;
use serde_json::Value;

use crate::{Enqueued, Queue};

/// An act that changes something: a job was cancelled, a queue was paused.
#[derive(Clone, Debug, PartialEq)]
pub struct Act<'a> {
    /// The act, such as `queue_paused`.
    pub action: &'static str,
    /// The kind of thing that was changed, such as `queue`.
    pub resource: &'static str,
    /// The id or the name of that thing.
    pub resource_id: &'a str,
    /// Further facts. They say nothing about a person.
    pub details: Value,
}

/// Records an act in its transaction, so that the record exists if and only if the act does.
pub type Recorder = Arc<dyn Fn(&mut Transaction, &Call, &Act<'_>) + Send + Sync>;

impl Queue {
    /// Has this process record every act from now on. Only the first recorder counts.
    pub fn record_with(&self, recorder: Recorder) {
        // There is one log.
        let _ = self.recorder().set(recorder);
    }

    /// Records that a client asked for a job, unless the job was there already. The details are further facts, such as its kind.
    pub fn record_created(&self, tx: &mut Transaction, call: &Call, job: &Enqueued, details: Value) {
        if job.fresh {
            let (resource_id, resource) = (&*job.id.to_string(), "job");
            self.record(tx, call, &Act { action: "job_created", resource, resource_id, details });
        }
    }

    /// Records an act, if somebody keeps a record.
    pub fn record(&self, tx: &mut Transaction, call: &Call, act: &Act<'_>) {
        if let Some(recorder) = self.recorder().get() {
            recorder(tx, call, act);
        }
    }
}
