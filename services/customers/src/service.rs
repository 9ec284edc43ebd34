//! The service as a process runs it.

use std::error::Error;

use pando_grpc::BadDescriptor;
use pando_service::prelude::*;

use crate::{Customers, CustomersOptions, MIGRATIONS, grpc, http};

/// The service before it is opened.
pub const BLUEPRINT: Blueprint = Blueprint {
    name: "customers",
    migrations: Some(MIGRATIONS),
    queues: &[],
    described: || vec![ServiceRoutes::described("customers", http::routes())],
};

/// Opens the service.
pub fn open(
    parts: &Parts,
    options: &CustomersOptions,
    _: &mut Registry,
) -> Result<Service, Box<dyn Error + Send + Sync>> {
    Ok(serve(&Customers::new(parts, options)?)?)
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
