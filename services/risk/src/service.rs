//! The service as a process runs it.

use std::error::Error;

use futures_util::future::BoxFuture;
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
const PLACES: [(&str, Routes); 8] = [
    ("/api/v1/assess", http::routes),
    ("/api/v1/cases", http::cases::routes),
    ("/api/v1/explain", http::explain_routes),
    ("/api/v1/lists", http::lists::routes),
    ("/api/v1/models", http::models::routes),
    ("/api/v1/monitoring", http::monitoring::routes),
    ("/api/v1/rules", http::rulesets::routes),
    ("/api/v1/sanctions", http::screening::routes),
];

/// The limits of batches.
const BATCH: RouteLimits = RouteLimits {
    path: "/api/v1/assess/batch",
    body_bytes_max: Some(4 * 1024 * 1024),
    deadline_ms: Some(30_000),
    body_idle_ms: None,
};

/// The limits of uploads of entries.
const ENTRIES: RouteLimits = RouteLimits {
    path: "/api/v1/lists/{id}/entries",
    body_bytes_max: Some(16 * 1024 * 1024),
    deadline_ms: Some(30_000),
    body_idle_ms: None,
};

/// The longest document of rules (`DOCUMENT_BYTES_MAX`) has 2 MiB.
const RULES_BYTES_MAX: u64 = 2 * 1024 * 1024 + 64 * 1024;

/// A document of rules, and some room for what is around it.
const RULES: [RouteLimits; 2] = [rules("/api/v1/rules"), rules("/api/v1/rules/{number}")];

const fn rules(path: &'static str) -> RouteLimits {
    RouteLimits { path, body_bytes_max: Some(RULES_BYTES_MAX), deadline_ms: None, body_idle_ms: None }
}

/// Opens the service.
pub fn open(
    parts: &Parts,
    options: RiskOptions,
    registry: &mut Registry,
) -> Result<Service, Box<dyn Error + Send + Sync>> {
    let risk = Risk::new(parts, options)?;
    jobs::add(registry, &risk)?;
    let routes = PLACES.iter().map(|(prefix, routes)| {
        let limits = match *prefix {
            "/api/v1/assess" => vec![BATCH],
            "/api/v1/lists" => vec![ENTRIES],
            "/api/v1/rules" => RULES.to_vec(),
            _ => Vec::new(),
        };
        let routes = routes().with_state(risk.clone());
        ServiceRoutes::new("risk", routes, limits).error_shape(error_envelope(prefix))
    });
    let routes = routes.collect();
    let warm_up = Some(Box::pin(see_lists(risk.clone())) as BoxFuture<'static, ()>);
    Ok(Service { routes, warm_up, ..Service::default() })
}

/// A process that cannot compare the operator's lists serves all the same; the next start compares them.
async fn see_lists(risk: Risk) {
    if let Err(fault) = risk.see_operator_lists().await {
        tracing::warn!(%fault, "changes of the lists for screening were not looked for");
    }
}

fn described(prefix: &'static str, routes: OpenApiRouter<Risk>) -> ServiceRoutes {
    ServiceRoutes::described("risk", routes).error_shape(error_envelope(prefix))
}
