//! The routes for operators, on a port of their own that only this machine can reach unless the settings say otherwise.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use pando_cache::{Cache, CacheReport, Caches, L2Health};
use pando_http::{App, Caller, JsonAnswer, Problem, QueryString};
use pando_profiles::Profiles;
use pando_tasks::Tasks;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::VERSION;

/// Most profiles that one command reads into the cache.
const WARM_PROFILES_MAX: usize = 100_000;
const WARM_PROFILES_DEFAULT: usize = 1_000;

/// The parts of the platform that the pages show.
#[derive(Clone)]
pub(crate) struct Insides {
    pub(crate) caches: Caches,
    /// None where this process does not play the role.
    pub(crate) profiles: Option<Profiles>,
    /// None where this process has to do with no jobs.
    pub(crate) tasks: Option<Tasks>,
}

/// Every cache, and the Redis they share.
#[derive(Serialize)]
struct Overview {
    redis: Option<L2Health>,
    caches: Vec<CacheReport>,
}

/// The routes of operators.
pub(crate) fn app(insides: Insides) -> App {
    let tasks = insides.tasks.clone();
    let routes = OpenApiRouter::new()
        .routes(routes!(caches))
        .routes(routes!(cache))
        .routes(routes!(key))
        .routes(routes!(clear))
        .routes(routes!(expire))
        .routes(routes!(warm))
        .with_state(insides);
    let app = App::new("Pando, for operators", VERSION).service("admin", routes, Vec::new());
    match tasks {
        Some(tasks) => app.service("queues", pando_tasks::admin_routes(tasks), Vec::new()),
        None => app,
    }
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
async fn clear(State(insides): State<Insides>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    insides.cache(&name)?.clear().await;
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
async fn expire(State(insides): State<Insides>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    insides.cache(&name)?.expire_all().await;
    tracing::info!(cache.name = name, "an operator expired the cache");
    Ok(StatusCode::NO_CONTENT)
}

/// Fill the cache of profiles
#[utoipa::path(post, path = "/admin/warm/profiles", tag = "cache",
    params(("count" = Option<usize>, Query, minimum = 1, maximum = 100_000,
        description = "How many of the newest profiles; 1000 by default")),
    responses(
        (status = 200, description = "How many profiles were loaded into the cache", body = Object),
        (status = 404, description = "This process does not serve profiles"),
    ))]
async fn warm(
    State(insides): State<Insides>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let count = query.text("count").map(|text| text.parse::<usize>());
    let count = count.unwrap_or(Ok(WARM_PROFILES_DEFAULT)).ok();
    let count = count.filter(|count| (1..=WARM_PROFILES_MAX).contains(count));
    if count.is_none() {
        query.error("count", "value", format!("must be a whole number from 1 to {WARM_PROFILES_MAX}"));
    }
    query.finish()?;
    let profiles = insides.profiles.ok_or_else(|| Problem::not_found("profiles"))?;
    let filled = profiles.warm_cache(&call, count.unwrap_or(WARM_PROFILES_DEFAULT)).await?;
    Ok(JsonAnswer(serde_json::json!({ "filled": filled })).into_response())
}
