//! The route that lists the types of tasks.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use pando_http::{JsonAnswer, Problem};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::Tasks;

/// A type of task.
#[derive(Serialize, ToSchema)]
struct TaskType<'t> {
    /// The value of `task_type`.
    #[serde(rename = "type")]
    task_type: &'t str,
    /// What such a task does.
    summary: &'t str,
    /// The JSON Schema of the data; null if any object is allowed.
    #[schema(value_type = Option<Object>)]
    schema: Option<&'t Value>,
    /// The scope that a credential needs for such a task, beside `tasks:write`; null if none.
    scope: Option<&'t str>,
    /// How many attempts a task has unless `max_retries` says otherwise.
    attempts_max: u16,
    /// How long one attempt may take, in milliseconds.
    timeout_ms: Option<u64>,
}

/// List types of tasks
///
/// All values of `task_type`, and the data that each type needs.
#[utoipa::path(
    get, path = "/api/v1/tasks/types", tag = "tasks",
    responses((status = 200, description = "The types, by name", body = Vec<TaskType>))
)]
pub(super) async fn list_task_types(State(tasks): State<Tasks>) -> Result<Response, Problem> {
    let kinds = tasks.0.registry.public_kinds();
    let types: Vec<TaskType<'_>> = kinds
        .map(|kind| TaskType {
            task_type: &kind.name,
            summary: &kind.summary,
            schema: kind.schema.as_ref(),
            scope: kind.scope,
            attempts_max: kind.attempts_max,
            timeout_ms: kind.settings.timeout_ms,
        })
        .collect();
    Ok(JsonAnswer(types).into_response())
}
