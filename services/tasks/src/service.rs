//! The service as a process runs it.

use pando_http::ServiceRoutes;
use pando_queue::{QueueError, Registry};
use pando_service::{Blueprint, OwnQueue, Parts, Service};

use crate::{Tasks, TasksOptions, add_kinds, http};

/// The service before it is opened. Its tables are those of the queue.
pub const BLUEPRINT: Blueprint = Blueprint {
    name: "tasks",
    migrations: None,
    events: &[],
    queues: &[
        OwnQueue { name: "callbacks", concurrency: 64, kinds: &["http_callback"] },
        OwnQueue { name: "sleep", concurrency: 64, kinds: &["sleep"] },
    ],
    described: || vec![ServiceRoutes::described("tasks", http::described_routes())],
};

/// Opens the service after all others: callers may ask for each of the jobs that are in the registry by then.
pub fn open(parts: &Parts, options: TasksOptions, registry: &mut Registry) -> Result<Service, QueueError> {
    add_kinds(registry, &options)?;
    let tasks = Tasks::new(parts, registry.clone(), options)?;
    let queues = ServiceRoutes::new("queues", http::admin_routes(tasks.clone()), Vec::new());
    Ok(Service {
        routes: vec![ServiceRoutes::new("tasks", http::routes(tasks.clone()), http::limits())],
        operator_routes: vec![queues],
        on_drain: Some(Box::new(move || tasks.end_waits())),
        ..Service::default()
    })
}
