//! The service as a process runs it.

use std::error::Error;
use std::time::Duration;

use pando_http::{RouteLimits, ServiceRoutes};
use pando_service::OwnQueue;
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
    queues: &[
        OwnQueue { name: "risk_batches", concurrency: 4, kinds: &["risk_batch"] },
        OwnQueue {
            name: "risk_upkeep",
            concurrency: 1,
            kinds: &["risk_sweep", "risk_partitions", "risk_archive"],
        },
    ],
    described: || PLACES.iter().map(|(prefix, routes)| described(prefix, routes())).collect(),
};

type Routes = fn() -> OpenApiRouter<Risk>;

/// Where the paths of this service begin, and the routes there.
const PLACES: &[(&str, Routes)] = &[
    ("/api/v1/analytics", http::analytics::routes),
    ("/api/v1/assess", http::routes),
    ("/api/v1/batch", http::batches::older_routes),
    ("/api/v1/cases", http::cases::routes),
    ("/api/v1/compliance", http::compliance::routes),
    ("/api/v1/explain", http::explain_routes),
    ("/api/v1/lists", http::lists::routes),
    ("/api/v1/media", http::media::routes),
    ("/api/v1/models", http::models::routes),
    ("/api/v1/monitoring", http::monitoring::routes),
    ("/api/v1/risk", http::outlook::advanced),
    ("/api/v1/rules", http::rulesets::routes),
    ("/api/v1/sanctions", http::screening::routes),
    ("/api/v1/scenarios", http::outlook::scenarios),
];

/// How long making partitions may hold up the start.
const START_BUDGET: Duration = Duration::from_secs(5);

/// How many bytes a request for a batch may have.
const BATCH_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The limits of the routes below a prefix.
fn limits(prefix: &str) -> Vec<RouteLimits> {
    let of = |path| RouteLimits {
        path,
        body_bytes_max: Some(BATCH_BYTES_MAX),
        deadline_ms: Some(30_000),
        body_idle_ms: None,
    };
    match prefix {
        "/api/v1/assess" => vec![of("/api/v1/assess/batch"), of("/api/v1/assess/batch/async")],
        "/api/v1/batch" => vec![of("/api/v1/batch/assess")],
        "/api/v1/lists" => vec![ENTRIES],
        "/api/v1/rules" => RULES.to_vec(),
        _ => Vec::new(),
    }
}

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
    served(&Risk::new(parts, options)?, registry)
}

/// The same, for a program that asks the service itself, too.
pub fn served(risk: &Risk, registry: &mut Registry) -> Result<Service, Box<dyn Error + Send + Sync>> {
    jobs::add(registry, risk)?;
    let routes = PLACES.iter().map(|(prefix, routes)| {
        let routes = routes().with_state(risk.clone());
        ServiceRoutes::new("risk", routes, limits(prefix)).error_shape(error_envelope(prefix))
    });
    let routes = routes.collect();
    let warm_up = Some(Box::pin(prepare(risk.clone())) as _);
    Ok(Service { routes, schedules: jobs::schedules(), warm_up, ..Service::default() })
}

/// Done before the first request. A process for which it fails serves all the same: without partitions, rows lie in the default one until
/// the daily job succeeds, and the operator's lists are compared at the next start.
async fn prepare(risk: Risk) {
    if let Err(error) = risk.make_partitions(&Call::internal("partitions", START_BUDGET)).await {
        tracing::warn!(%error, "partitions were not made");
    }
    if let Err(fault) = risk.see_operator_lists().await {
        tracing::warn!(%fault, "changes of the lists for screening were not looked for");
    }
    if let Err(fault) = risk.see_articles().await {
        tracing::warn!(%fault, "changes of the articles were not looked for");
    }
}

fn described(prefix: &'static str, routes: OpenApiRouter<Risk>) -> ServiceRoutes {
    ServiceRoutes::described("risk", routes).error_shape(error_envelope(prefix))
}
