//! The service as a process runs it.

use std::error::Error;

use pando_grpc::BadDescriptor;
use pando_service::OwnQueue;
use pando_service::prelude::*;

use crate::domain::events::EVENTS;
use crate::{Customers, CustomersOptions, MIGRATIONS, Pipeline, grpc, http, jobs};

/// The service before it is opened.
pub const BLUEPRINT: Blueprint = Blueprint {
    name: "customers",
    migrations: Some(MIGRATIONS),
    events: EVENTS,
    queues: &[OwnQueue { name: "pipeline", concurrency: 1, kinds: &["customers_pipeline"] }],
    described: || vec![ServiceRoutes::described("customers", http::routes())],
};

/// Opens the service, and adds its job to those that the process can run.
pub fn open(
    parts: &Parts,
    options: &CustomersOptions,
    registry: &mut Registry,
) -> Result<Service, Box<dyn Error + Send + Sync>> {
    let customers = Customers::new(parts, options)?;
    let pipeline =
        Pipeline::new(&parts.queue, &parts.objects, &parts.vault, &parts.metrics, &options.pipeline)?;
    registry.add(jobs::kind(&pipeline))?;
    let schedules = jobs::schedules(&options.pipeline, registry)?;
    Ok(Service { schedules, ..serve(&customers)? })
}

/// The service over these customers.
pub fn serve(customers: &Customers) -> Result<Service, BadDescriptor> {
    let routes = http::routes().with_state(customers.clone());
    let routes = ServiceRoutes::new("customers", routes, http::limits()).grpc(grpc::routes(customers)?);
    let mut service = Service::new(vec![routes], customers.base());
    service.subscribers.push(customers.watch_subscriber());
    let customers = customers.clone();
    service.on_drain = Some(Box::new(move || customers.end_watches()));
    Ok(service)
}
