//! The routes for operators.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use pando_http::{Caller, JsonAnswer, Problem, QueryString};

use crate::Profiles;

/// Most profiles that one command reads into the cache.
const WARM_MAX: usize = 100_000;
const WARM_DEFAULT: usize = 1_000;

/// Fill the cache of profiles
#[utoipa::path(post, path = "/admin/warm/profiles", tag = "cache",
    params(("count" = Option<usize>, Query, minimum = 1, maximum = 100_000,
        description = "How many of the newest profiles; 1000 by default")),
    responses((status = 200, description = "How many profiles were loaded into the cache", body = Object)))]
pub(super) async fn warm(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let count = query.text("count").map(|text| text.parse::<usize>());
    let count = count.unwrap_or(Ok(WARM_DEFAULT)).ok();
    let count = count.filter(|count| (1..=WARM_MAX).contains(count));
    if count.is_none() {
        query.error("count", "value", format!("must be a whole number from 1 to {WARM_MAX}"));
    }
    query.finish()?;
    let filled = profiles.warm_cache(&call, count.unwrap_or(WARM_DEFAULT)).await?;
    Ok(JsonAnswer(serde_json::json!({ "filled": filled })).into_response())
}
