//! `/health`, `/health/live`, `/health/ready` and `/metrics`, and their names under `/actuator`.

mod actuator;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use pando_telemetry::Metrics;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{HttpOptions, JsonAnswer};

/// Something the server needs, and how to ask whether it is there.
#[derive(Clone)]
pub struct Dependency {
    name: &'static str,
    timeout: Duration,
    probe: Probe,
    required: bool,
}

type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), ProbeError>> + Send>> + Send + Sync>;
type ProbeError = Box<dyn std::error::Error + Send + Sync>;

/// The dependencies that the health routes check.
#[derive(Clone)]
struct Vitals(Arc<Inner>);

struct Inner {
    version: String,
    dependencies: Vec<Dependency>,
    draining: Arc<AtomicBool>,
    metrics: Metrics,
    /// How long a result is repeated.
    kept: Duration,
    /// The last result and its time. The lock is held during a check, so that other requests wait for its result.
    asked: Mutex<Option<(Instant, Found)>>,
}

/// The state of every dependency, by name.
type Found = BTreeMap<&'static str, DependencyHealth>;

/// The state of the server and its dependencies.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    /// The version of the server.
    version: String,
    /// Every dependency by name.
    dependencies: BTreeMap<&'static str, DependencyHealth>,
}

/// The state of one dependency.
#[derive(Clone, Serialize, ToSchema)]
struct DependencyHealth {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    /// How long the check took, in milliseconds.
    ms: f64,
    /// A short reason; the log has the details.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Whether the server is alive, or accepts requests.
#[derive(Serialize, ToSchema)]
struct Condition {
    /// `live`, `ready`, `draining` or `unhealthy`.
    status: &'static str,
}

const HEALTHY: &str = "healthy";
const UNHEALTHY: &str = "unhealthy";
const READY: &str = "ready";
/// An optional dependency cannot be reached; the server works without it.
const DEGRADED: &str = "degraded";

/// The routes, with what they look at.
pub(crate) fn routes(
    version: &str,
    dependencies: Vec<Dependency>,
    draining: &Arc<AtomicBool>,
    metrics: &Metrics,
    options: &HttpOptions,
) -> (OpenApiRouter, Readiness) {
    let inner = Inner {
        version: version.to_owned(),
        dependencies,
        draining: draining.clone(),
        metrics: metrics.clone(),
        kept: Duration::from_millis(options.health_kept_ms),
        asked: Mutex::new(None),
    };
    let mut routes =
        OpenApiRouter::new().routes(routes!(health)).routes(routes!(live)).routes(routes!(ready));
    routes = routes.merge(actuator::routes(options.metrics));
    if options.metrics {
        routes = routes.routes(routes!(metrics_text));
    }
    let vitals = Vitals(Arc::new(inner));
    (routes.with_state(vitals.clone()), Readiness(vitals))
}

/// Whether the server accepts requests, for whoever says it in another protocol.
#[derive(Clone)]
pub struct Readiness(Vitals);

impl Readiness {
    /// Whether `/health/ready` answers 200.
    pub async fn is_ready(&self) -> bool {
        self.0.condition().await == READY
    }
}

/// The state of the server and its dependencies.
#[utoipa::path(get, path = "/health", tag = "system", security(()), responses(
    (status = 200, description = "All is well", body = Health),
    (status = 503, description = "A dependency cannot be reached", body = Health),
))]
async fn health(State(vitals): State<Vitals>) -> Response {
    let dependencies = vitals.ask().await;
    let healthy = dependencies.values().all(|dependency| dependency.status != UNHEALTHY);
    let (status, word) =
        if healthy { (StatusCode::OK, HEALTHY) } else { (StatusCode::SERVICE_UNAVAILABLE, UNHEALTHY) };
    let version = vitals.0.version.clone();
    (status, JsonAnswer(Health { status: word, version, dependencies })).into_response()
}

/// Whether the process answers at all; checks no dependency.
#[utoipa::path(get, path = "/health/live", tag = "system", security(()), responses(
    (status = 200, description = "The process answers", body = Condition),
))]
async fn live() -> Response {
    JsonAnswer(Condition { status: "live" }).into_response()
}

/// Whether the server accepts requests: not while it shuts down, and not while a dependency cannot be reached.
#[utoipa::path(get, path = "/health/ready", tag = "system", security(()), responses(
    (status = 200, description = "The process accepts requests", body = Condition),
    (status = 503, description = "The process accepts no requests now", body = Condition),
))]
async fn ready(State(vitals): State<Vitals>) -> Response {
    let status = vitals.condition().await;
    let code = if status == READY { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, JsonAnswer(Condition { status })).into_response()
}

/// Metrics in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "system", responses(
    (status = 200, description = "Every metric of this process", body = String, content_type = "text/plain"),
))]
async fn metrics_text(State(vitals): State<Vitals>) -> Response {
    let media = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, media)], vitals.0.metrics.render()).into_response()
}

impl Vitals {
    /// `ready`, `draining` or `unhealthy`.
    async fn condition(&self) -> &'static str {
        match self.0.draining.load(Ordering::Relaxed) {
            true => "draining",
            false if self.ask().await.values().any(|dependency| dependency.status == UNHEALTHY) => UNHEALTHY,
            false => READY,
        }
    }

    /// The state of the dependencies. Checks never run at the same time, and a result is reused for a while.
    async fn ask(&self) -> Found {
        let mut asked = self.0.asked.lock().await;
        if let Some((at, found)) = &*asked
            && at.elapsed() < self.0.kept
        {
            return found.clone();
        }
        let found = self.probe().await;
        *asked = Some((Instant::now(), found.clone()));
        found
    }

    /// Checks all dependencies at the same time, each for no longer than its own timeout.
    async fn probe(&self) -> Found {
        let asked = self.0.dependencies.iter().map(|dependency| async {
            let started = Instant::now();
            let reason = match tokio::time::timeout(dependency.timeout, (dependency.probe)()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => {
                    tracing::warn!(dependency = dependency.name, %error, "health probe failed");
                    Some("failed")
                }
                Err(_elapsed) => {
                    tracing::warn!(dependency = dependency.name, "health probe timed out");
                    Some("timed out")
                }
            };
            let ms = started.elapsed().as_secs_f64() * 1_000.0;
            let status = match reason {
                None => HEALTHY,
                Some(_) if dependency.required => UNHEALTHY,
                Some(_) => DEGRADED,
            };
            (dependency.name, DependencyHealth { status, ms, reason })
        });
        futures_util::future::join_all(asked).await.into_iter().collect()
    }
}

impl Dependency {
    /// Asks `probe` on each health request and gives it `timeout`. The error is logged, callers see that it failed.
    pub fn new<P, F, E>(name: &'static str, timeout: Duration, probe: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<ProbeError>,
    {
        let probe: Probe = Arc::new(move || {
            let asked = probe();
            Box::pin(async move { asked.await.map_err(Into::into) })
        });
        Self { name, timeout, probe, required: true }
    }

    /// The server goes on without it: while it is away it is `degraded`, and the server is still ready.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependency")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
