//! The service as a process runs it.

use std::error::Error;

use pando_http::ServiceRoutes;
use pando_service::http::error_envelope;
use pando_service::prelude::*;
use pando_service::{EventType, OwnQueue};
use utoipa_axum::router::OpenApiRouter;

use crate::{EVENTS, MIGRATIONS, Webhooks, WebhooksOptions, http, jobs};

/// The service before it is opened.
pub const BLUEPRINT: Blueprint = Blueprint {
    name: "webhooks",
    migrations: Some(MIGRATIONS),
    events: EVENTS,
    queues: &[
        OwnQueue { name: "webhooks", concurrency: 512, kinds: &["webhook_send"] },
        OwnQueue {
            name: "webhook_upkeep",
            concurrency: 8,
            kinds: &["webhook_wake", "webhook_forget", "webhook_sweep"],
        },
    ],
    described: || {
        let described = |routes: OpenApiRouter<Webhooks>, prefix| {
            ServiceRoutes::described("webhooks", routes).error_shape(error_envelope(prefix))
        };
        vec![described(http::routes(), WEBHOOKS), described(http::deliveries::routes(), DELIVERIES)]
    },
};

/// Where its paths begin.
const WEBHOOKS: &str = "/api/v1/webhooks";
const DELIVERIES: &str = "/api/v1/deliveries";

/// Opens the service, and adds its jobs to those that the process can run. `types` are the events of all services.
pub fn open(
    parts: &Parts,
    types: impl Iterator<Item = &'static EventType>,
    options: WebhooksOptions,
    registry: &mut Registry,
) -> Result<Service, Box<dyn Error + Send + Sync>> {
    let webhooks = Webhooks::new(parts, types, options)?;
    jobs::add(registry, &webhooks)?;
    let served = |routes: OpenApiRouter<Webhooks>, prefix| {
        let routes = routes.with_state(webhooks.clone());
        ServiceRoutes::new("webhooks", routes, Vec::new()).error_shape(error_envelope(prefix))
    };
    Ok(Service {
        routes: vec![served(http::routes(), WEBHOOKS), served(http::deliveries::routes(), DELIVERIES)],
        subscribers: vec![webhooks.subscriber()],
        schedules: jobs::schedules(),
        ..Service::default()
    })
}
