//! The service as a process runs it.

use std::error::Error;

use pando_http::{RouteLimits, ServiceRoutes};
use pando_service::http::error_envelope;
use pando_service::prelude::*;
use utoipa_axum::router::OpenApiRouter;

use crate::domain::events::EVENTS;
use crate::{MIGRATIONS, Risk, RiskOptions, http, jobs};

/// The service before it is opened.
pub const BLUEPRINT: Blueprint = Blueprint {
    name: "risk",
    migrations: Some(MIGRATIONS),
    events: EVENTS,
    queues: &[],
    described: || PLACES.iter().map(|(prefix, routes)| described(prefix, routes())).collect(),
};

type Routes = fn() -> OpenApiRouter<Risk>;

/// Where the paths of this service begin, and the routes there.
const PLACES: &[(&str, Routes)] = &[
    ("/api/v1/analytics", http::analytics::routes),
    ("/api/v1/assess", http::routes),
    ("/api/v1/compliance", http::compliance::routes),
    ("/api/v1/explain", http::explain_routes),
    ("/api/v1/media", http::media::routes),
    ("/api/v1/models", http::models::routes),
    ("/api/v1/risk", http::outlook::advanced),
    ("/api/v1/sanctions", http::screening::routes),
    ("/api/v1/scenarios", http::outlook::scenarios),
];

/// The limits of batches.
const BATCH: RouteLimits = RouteLimits {
    path: "/api/v1/assess/batch",
    body_bytes_max: Some(4 * 1024 * 1024),
    deadline_ms: Some(30_000),
    body_idle_ms: None,
};

/// Opens the service.
pub fn open(
    parts: &Parts,
    options: RiskOptions,
    registry: &mut Registry,
) -> Result<Service, Box<dyn Error + Send + Sync>> {
    let risk = Risk::new(parts, options)?;
    jobs::add(registry, &risk)?;
    let routes = PLACES.iter().map(|(prefix, routes)| {
        let limits = if *prefix == "/api/v1/assess" { vec![BATCH] } else { Vec::new() };
        let routes = routes().with_state(risk.clone());
        ServiceRoutes::new("risk", routes, limits).error_shape(error_envelope(prefix))
    });
    let routes = routes.collect();
    Ok(Service { routes, warm_up: Some(jobs::at_start(&risk)), ..Service::default() })
}

fn described(prefix: &'static str, routes: OpenApiRouter<Risk>) -> ServiceRoutes {
    ServiceRoutes::described("risk", routes).error_shape(error_envelope(prefix))
}
