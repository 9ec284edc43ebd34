#![doc = include_str!("../README.md")]

mod cancel_task;
mod create_task;
mod domain;
mod get_schedule;
mod get_task;
mod http;
mod kinds;
mod list_tasks;
mod options;
mod put_schedule;
mod service;
mod watch_task;

use std::sync::Arc;

use pando_queue::{Queue, QueueError, Registry};
use pando_resilience::Call;
use pando_service::{Class, Fault, Parts, Writes, WritesParts};
use tokio::sync::watch;

pub use create_task::Created;
pub use domain::schedule::Schedule;
pub use domain::task::{Task, TaskStatus, TaskSummary};
pub use domain::task_request::TaskRequest;
pub use kinds::add_kinds;
pub use list_tasks::{TaskFilter, TaskPage};
pub use options::TasksOptions;
pub use put_schedule::Expected;
pub use service::{BLUEPRINT, open};

/// The tasks service: each operation is a method, and a file of that name. Cloning shares it.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    queue: Queue,
    registry: Registry,
    writes: Writes,
    options: TasksOptions,
    /// Whether requests that wait for tasks have to end.
    closing: watch::Sender<bool>,
}

impl Tasks {
    /// Builds the service. `registry` has every kind of task there is; workers run the same ones.
    pub fn new(parts: &Parts, registry: Registry, options: TasksOptions) -> Result<Self, QueueError> {
        options.check()?;
        let Parts { database, queue, idempotency, vault, .. } = parts.clone();
        let writes = Writes::new(WritesParts {
            database,
            idempotency,
            outbox: None,
            audit: None,
            vault,
            memory: None,
            rules: &[],
        });
        let closing = watch::Sender::new(false);
        Ok(Self(Arc::new(Inner { queue, registry, writes, options, closing })))
    }

    /// A task does what an operation of another service does, so its caller needs the scope for that as well.
    pub(crate) fn permit(&self, call: &Call, kind: &str) -> Result<(), Fault> {
        match self.0.registry.get(kind).and_then(|kind| kind.scope) {
            Some(scope) if !call.identity.scopes.allow(scope) => Err(Fault::new(
                Class::Forbidden,
                format!(
                    "a task of the type {kind} needs the scope {scope}, which this credential does not have"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Ends the requests that would delay the end of the process: those that wait for a task get its present state, and streams
    /// end. Later requests do not wait at all.
    pub fn end_waits(&self) {
        self.0.closing.send_replace(true);
    }
}
