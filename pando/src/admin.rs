//! The routes for operators, on a port of their own that only this machine can reach unless the settings say otherwise.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use pando_audit::Audit;
use pando_cache::{Cache, CacheReport, Caches, L2Health};
use pando_http::{App, Caller, JsonAnswer, Problem, ServiceRoutes};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::{AuthMode, Config};
use crate::live::Live;
use crate::recording::record_before;
use crate::{VERSION, recording};

/// The parts of the platform that the pages show.
#[derive(Clone)]
pub(crate) struct Insides {
    pub(crate) caches: Caches,
    /// The audit log, if the settings ask for it.
    pub(crate) audit: Option<Audit>,
    /// The figures that pages show while they change.
    pub(crate) live: Live,
    /// The routes that services have for operators.
    pub(crate) services: Vec<ServiceRoutes>,
}

/// Every cache, and the Redis they share.
#[derive(Serialize)]
struct Overview {
    redis: Option<L2Health>,
    caches: Vec<CacheReport>,
}

/// The routes of operators.
pub(crate) fn app(insides: Insides) -> App {
    let (services, on_refusal) = (insides.services.clone(), recording::of_refusals(insides.audit.as_ref()));
    let live = insides.live.routes();
    let routes = OpenApiRouter::new()
        .routes(routes!(caches))
        .routes(routes!(cache))
        .routes(routes!(key))
        .routes(routes!(clear))
        .routes(routes!(expire))
        .with_state(insides)
        .merge(live);
    let mut app =
        App::new("Pando, for operators", VERSION).for_operators().service("admin", routes, Vec::new());
    app.on_refusal = on_refusal;
    services.into_iter().fold(app, App::serve)
}

/// The server of the services, with the operations of operators beside them: the console, which it serves, needs both. Where nobody is
/// asked who they are and other machines may call, those operations stay on their own address.
pub(crate) fn beside_services(config: &Config, app: App, operators: &App) -> App {
    if !config.admin.enabled || !config.admin.console || config.auth.mode == AuthMode::Off {
        return app;
    }
    let services = operators.services.iter().cloned();
    services.map(|service| service.for_operators().unlisted()).fold(app, App::serve)
}

impl Insides {
    fn cache(&self, name: &str) -> Result<Cache, Problem> {
        self.caches.find(name).ok_or_else(|| Problem::not_found("cache"))
    }
}

/// List the caches of this process
#[utoipa::path(get, path = "/admin/cache", tag = "cache", responses(
    (status = 200, description = "The state of each cache, and whether Redis is connected", body = Object),
))]
async fn caches(State(insides): State<Insides>) -> Response {
    let caches = insides.caches.all().iter().map(Cache::report).collect();
    JsonAnswer(Overview { redis: insides.caches.health(), caches }).into_response()
}

/// Show a cache
#[utoipa::path(get, path = "/admin/cache/{name}", tag = "cache",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The size of the cache, its hits, its hottest keys", body = Object),
        (status = 404, description = "No cache has this name"),
    ))]
async fn cache(State(insides): State<Insides>, Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(JsonAnswer(insides.cache(&name)?.report()).into_response())
}

/// Show a key of a cache
#[utoipa::path(get, path = "/admin/cache/{name}/keys/{*key}", tag = "cache",
    params(("name" = String, Path, description = "The cache"), ("key" = String, Path, description = "The key")),
    responses(
        (status = 200, description = "The entry that this process holds under the key", body = Object),
        (status = 404, description = "This process holds no entry under the key"),
    ))]
async fn key(
    State(insides): State<Insides>,
    Path((name, key)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let report = insides.cache(&name)?.report_key(key.as_bytes());
    Ok(JsonAnswer(report.ok_or_else(|| Problem::not_found("key"))?).into_response())
}

/// Empty a cache
#[utoipa::path(post, path = "/admin/cache/{name}/clear", tag = "cache",
    params(("name" = String, Path, description = "The cache")),
    responses(
        (status = 204, description = "The cache is empty in every process"),
        (status = 404, description = "No cache has this name"),
    ))]
async fn clear(
    State(insides): State<Insides>,
    Caller(call): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let cache = insides.cache(&name)?;
    record_before(insides.audit.as_ref(), &call, "cache_cleared", ("cache", &name)).await?;
    cache.clear().await;
    tracing::info!(cache.name = name, "an operator cleared the cache");
    Ok(StatusCode::NO_CONTENT)
}

/// Expire a cache
///
/// Expired entries are still served if the database does not answer.
#[utoipa::path(post, path = "/admin/cache/{name}/expire", tag = "cache",
    params(("name" = String, Path, description = "The cache")),
    responses(
        (status = 204, description = "Every entry is loaded again before it is used, in every process"),
        (status = 404, description = "No cache has this name"),
    ))]
async fn expire(
    State(insides): State<Insides>,
    Caller(call): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let cache = insides.cache(&name)?;
    record_before(insides.audit.as_ref(), &call, "cache_expired", ("cache", &name)).await?;
    cache.expire_all().await;
    tracing::info!(cache.name = name, "an operator expired the cache");
    Ok(StatusCode::NO_CONTENT)
}
