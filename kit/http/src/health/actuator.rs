//! Health and metrics by the names under which published clients and dashboards ask for them: `/actuator/health` and its kin.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{READY, UNHEALTHY, Vitals};
use crate::JsonAnswer;

const UP: &str = "UP";
const DOWN: &str = "DOWN";

/// The state of the server and its dependencies.
#[derive(Serialize, ToSchema)]
struct ActuatorHealth {
    /// `UP` or `DOWN`.
    status: &'static str,
    /// Every dependency by name.
    components: BTreeMap<&'static str, ActuatorState>,
}

/// Whether something is there.
#[derive(Serialize, ToSchema)]
struct ActuatorState {
    /// `UP`, `DOWN` or `OUT_OF_SERVICE`.
    status: &'static str,
}

/// The version of the server.
#[derive(Serialize, ToSchema)]
struct ActuatorInfo {
    #[schema(inline)]
    build: ActuatorBuild,
}

#[derive(Serialize, ToSchema)]
struct ActuatorBuild {
    version: String,
}

/// The names of all metrics.
#[derive(Serialize, ToSchema)]
struct ActuatorMetrics {
    names: Vec<String>,
}

/// The routes; those of metrics only where metrics are served.
pub(super) fn routes(has_metrics: bool) -> OpenApiRouter<Vitals> {
    let routes = OpenApiRouter::new()
        .routes(routes!(actuator_health))
        .routes(routes!(actuator_liveness))
        .routes(routes!(actuator_readiness))
        .routes(routes!(actuator_info));
    if has_metrics { routes.routes(routes!(actuator_metrics)) } else { routes }
}

/// The state of the server, as `/health` says it, in other words.
#[utoipa::path(get, path = "/actuator/health", tag = "system", security(()), responses(
    (status = 200, description = "All is well", body = ActuatorHealth),
    (status = 503, description = "A dependency cannot be reached", body = ActuatorHealth),
))]
async fn actuator_health(State(vitals): State<Vitals>) -> Response {
    let found = vitals.ask().await;
    // A server works without an optional dependency.
    let state = |status| ActuatorState { status: if status == UNHEALTHY { DOWN } else { UP } };
    let is_down = found.values().any(|dependency| dependency.status == UNHEALTHY);
    let components = found.into_iter().map(|(name, found)| (name, state(found.status))).collect();
    let (code, status) = if is_down { (StatusCode::SERVICE_UNAVAILABLE, DOWN) } else { (StatusCode::OK, UP) };
    (code, JsonAnswer(ActuatorHealth { status, components })).into_response()
}

/// Whether the process answers at all, as `/health/live` says it.
#[utoipa::path(get, path = "/actuator/health/liveness", tag = "system", security(()), responses(
    (status = 200, description = "The process answers", body = ActuatorState),
))]
async fn actuator_liveness() -> Response {
    JsonAnswer(ActuatorState { status: UP }).into_response()
}

/// Whether the server accepts requests, as `/health/ready` says it.
#[utoipa::path(get, path = "/actuator/health/readiness", tag = "system", security(()), responses(
    (status = 200, description = "The process accepts requests", body = ActuatorState),
    (status = 503, description = "The process accepts no requests now", body = ActuatorState),
))]
async fn actuator_readiness(State(vitals): State<Vitals>) -> Response {
    let (code, status) = match vitals.condition().await == READY {
        true => (StatusCode::OK, UP),
        false => (StatusCode::SERVICE_UNAVAILABLE, "OUT_OF_SERVICE"),
    };
    (code, JsonAnswer(ActuatorState { status })).into_response()
}

/// The version of the server.
#[utoipa::path(get, path = "/actuator/info", tag = "system", security(()), responses(
    (status = 200, description = "The version", body = ActuatorInfo),
))]
async fn actuator_info(State(vitals): State<Vitals>) -> Response {
    JsonAnswer(ActuatorInfo { build: ActuatorBuild { version: vitals.0.version.clone() } }).into_response()
}

/// The names of the metrics that `/metrics` has, which is also called `/actuator/prometheus`.
#[utoipa::path(get, path = "/actuator/metrics", tag = "system", responses(
    (status = 200, description = "The names", body = ActuatorMetrics),
))]
async fn actuator_metrics(State(vitals): State<Vitals>) -> Response {
    let text = vitals.0.metrics.render();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut names: Vec<String> = kinds.filter_map(|kind| kind.split(' ').next()).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    JsonAnswer(ActuatorMetrics { names }).into_response()
}
