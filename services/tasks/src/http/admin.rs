//! The routes for operators: queues, jobs, dead letters.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use pando_http::{Caller, JsonAnswer, JsonBody, Problem, QueryString};
use pando_queue::DeadSelection;
use pando_service::Fault;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Id;
use crate::Tasks;
use crate::domain::faults::{no_task, of_task};
use pando_service::FieldError;

/// How many groups of dead letters are listed by default.
const GROUPS_DEFAULT: i64 = 100;

/// Which dead letters to redrive.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; `redrive` reads it")]
pub(crate) struct RedriveFields {
    /// Only jobs of this queue.
    queue: Option<String>,
    /// Only jobs of this type.
    task_type: Option<String>,
    /// Only jobs with this fingerprint of their error.
    fingerprint: Option<String>,
    /// Only this job.
    id: Option<Uuid>,
    /// How many of them become due in a second; by default all at once.
    rate_per_second: Option<f64>,
    /// Only count the dead letters.
    dry_run: Option<bool>,
}

/// List queues
///
/// For each queue: its jobs by state, whether it is paused, and since when its oldest job waits.
#[utoipa::path(
    get, path = "/api/v1/admin/queues", tag = "queues",
    responses((status = 200, description = "The queues", body = Vec<Object>))
)]
pub(super) async fn list_queues(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
) -> Result<Response, Problem> {
    let queues = tasks.0.queue.queues(&call).await.map_err(of_task)?;
    Ok(JsonAnswer(queues).into_response())
}

/// Pause a queue
///
/// No more jobs of the queue start; running jobs continue.
#[utoipa::path(
    post, path = "/api/v1/admin/queues/{queue}/pause", tag = "queues",
    params(("queue" = String, Path, description = "Its name")),
    responses((status = 204, description = "The queue is paused"))
)]
pub(super) async fn pause(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Path(queue): Path<String>,
) -> Result<Response, Problem> {
    tasks.0.queue.pause(&call, &queue).await.map_err(of_task)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Resume a queue
#[utoipa::path(
    post, path = "/api/v1/admin/queues/{queue}/resume", tag = "queues",
    params(("queue" = String, Path, description = "Its name")),
    responses((status = 204, description = "The queue is resumed"))
)]
pub(super) async fn resume(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Path(queue): Path<String>,
) -> Result<Response, Problem> {
    tasks.0.queue.resume(&call, &queue).await.map_err(of_task)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Show a job
///
/// Everything that is known of the job, including its payload.
#[utoipa::path(
    get, path = "/api/v1/admin/jobs/{id}", tag = "queues",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The job", body = Object), (status = 404, description = "No job has this id"))
)]
pub(super) async fn show_job(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Id(id): Id,
) -> Result<Response, Problem> {
    let job = tasks.0.queue.find_of_any(&call, id).await.map_err(of_task)?;
    Ok(JsonAnswer(job.ok_or_else(no_task)?).into_response())
}

/// List dead letters
///
/// Grouped by error, the most frequent first.
#[utoipa::path(
    get, path = "/api/v1/admin/dead-letters", tag = "queues",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Most groups; 100 by default")),
    responses((status = 200, description = "The groups", body = Vec<Object>))
)]
pub(super) async fn dead_letters(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let limit = query.integer("limit", 1..=1_000).unwrap_or(GROUPS_DEFAULT);
    query.finish()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let groups = tasks.0.queue.dead_groups(&call, limit).await.map_err(of_task)?;
    Ok(JsonAnswer(groups).into_response())
}

/// Redrive dead letters
///
/// The jobs run again, with their attempts counted from zero. With `dry_run`, they are only counted.
#[utoipa::path(
    post, path = "/api/v1/admin/dead-letters/redrive", tag = "queues", request_body = RedriveFields,
    responses((status = 200, description = "How many dead letters were selected, and how many were redriven", body = Object))
)]
pub(super) async fn redrive(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    JsonBody(fields): JsonBody,
) -> Result<Response, Problem> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let id = match text("id").map(|id| id.parse::<Uuid>()) {
        Some(Err(_)) => {
            return Err(Fault::invalid(vec![FieldError::new("id", "value", "must be an id")]).into());
        }
        Some(Ok(id)) => Some(id),
        None => None,
    };
    let (kind, fingerprint) = (text("task_type").or_else(|| text("kind")), text("fingerprint"));
    let selection = DeadSelection { queue: text("queue"), kind, fingerprint, id };
    let rate = fields.get("rate_per_second").and_then(Value::as_f64);
    let dry_run = fields.get("dry_run").and_then(Value::as_bool).unwrap_or(false);
    let done = tasks.0.queue.redrive(&call, &selection, rate, dry_run).await.map_err(of_task)?;
    Ok(JsonAnswer(done).into_response())
}
