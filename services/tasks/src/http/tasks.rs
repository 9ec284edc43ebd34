//! Routes of tasks.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode, Uri, header};
use pando_clock::{Timestamp, parse_duration};
use pando_http::{
    Caller, JsonAnswer, JsonDocument, PageRequest, Problem, QueryString, encode_cursor, next_link,
};
use pando_service::http::{Keyed, ServerEvent, WriteAnswer, event_stream};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Id, KeyParameter};
use crate::watch_task::Said;
use crate::{Created, Task, TaskFilter, TaskRequest, TaskStatus, TaskSummary, Tasks};

/// The fields of a new task. Unknown fields are ignored.
#[derive(ToSchema)]
#[schema(example = json!({"task_type": "echo", "data": {"hello": "world"}, "delay": "250ms"}))]
#[expect(dead_code, reason = "it describes the body; TaskRequest::parse reads it, and names every bad field")]
pub(crate) struct TaskFields {
    /// The type of the task; `type` is another name for this field.
    #[schema(example = "echo")]
    task_type: String,
    /// The data of the task, an object; `payload` is another name for this field.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// How long to wait: `10s`, `250ms`, `PT10S`, or a number of seconds.
    #[schema(value_type = Option<String>, example = "250ms")]
    delay: Option<String>,
    /// The moment at which the task becomes due, instead of `delay`.
    #[schema(value_type = Option<String>, format = DateTime)]
    run_at: Option<String>,
    /// How often the task is retried.
    #[schema(minimum = 0)]
    max_retries: Option<u16>,
    /// The priority: 9 goes first, 5 is usual, 0 goes last.
    #[schema(minimum = 0, maximum = 9)]
    priority: Option<u8>,
    /// While a task with this type and key has not ended, that task is returned instead of a new one.
    #[schema(max_length = 255)]
    unique_key: Option<String>,
    /// The address that is called when the task has ended, with `{"task_id", "status"}`.
    #[schema(max_length = 2048, format = "uri")]
    callback_url: Option<String>,
}

/// Store a task
///
/// The task runs as soon as possible, after a delay, or at a given moment. After a 202 the task is stored, whatever happens
/// next.
#[utoipa::path(
    post, path = "/api/v1/tasks/delayed", tag = "tasks", request_body = TaskFields, params(KeyParameter),
    responses(
        (status = 202, description = "The task is stored", body = Created),
        (status = 409, description = "Another request with this key is still being processed"),
        (status = 422, description = "A field is invalid, or the key was used for another request"),
        (status = 503, description = "The task cannot be stored now"),
    )
)]
pub(super) async fn create(
    State(tasks): State<Tasks>,
    keyed: Keyed,
    document: JsonDocument,
) -> Result<WriteAnswer, Problem> {
    let call = keyed.with_body_alone(&document.bytes);
    let fields = document.into_object()?;
    let now = tasks.0.queue.clock().now();
    let request = TaskRequest::parse(&fields, &tasks.0.registry, &tasks.0.options, now)?;
    let done = tasks.create_task(&call, request).await?;
    let place = format!("/api/v1/tasks/{}", done.value.id);
    Ok(WriteAnswer::json(StatusCode::ACCEPTED, &done, &done.value).location(&place))
}

/// Read a task
///
/// With `wait`, the answer comes when the task has ended, or when the wait is over.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", tag = "tasks",
    params(
        ("id" = Uuid, Path, description = "The task's id"),
        ("wait" = Option<String>, Query, description = "How long to wait for the end of the task, such as `30s`"),
    ),
    responses(
        (status = 200, description = "The present state of the task", body = Task),
        (status = 404, description = "No task has this id"),
    )
)]
pub(super) async fn read(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Id(id): Id,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let wait = query.text("wait").map(|text| parse_duration(&text));
    if wait == Some(None) {
        query.error("wait", "duration", "must be a time like 30s, or a number of seconds");
    }
    query.finish()?;
    let task = match wait.flatten() {
        Some(wait) => tasks.wait_for_task(&call, id, wait).await?,
        None => tasks.get_task(&call, id).await?,
    };
    Ok(JsonAnswer(task).into_response())
}

/// One event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the stream; `events` writes it")]
pub(crate) struct TaskEvent {
    /// `task`.
    event: String,
    /// The whole task, in JSON.
    data: String,
}

/// Follow a task
///
/// Server-sent events: a `task` event with the whole task, now and at each change, until the task has ended. A browser that
/// connects again after the last event gets 204 and stops.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/events", tag = "tasks",
    params(
        ("id" = Uuid, Path, description = "The task's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was received"),
    ),
    responses(
        (status = 200, description = "The changes", content_type = "text/event-stream", body = TaskEvent),
        (status = 204, description = "The task has ended, and its last event was received"),
        (status = 404, description = "No task has this id"),
    )
)]
pub(super) async fn events(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    headers: HeaderMap,
    Id(id): Id,
) -> Result<Response, Problem> {
    if let Some(last) = headers.get("last-event-id") {
        let task = tasks.get_task(&call, id).await?;
        if task.status.is_end() && last.as_bytes() == event_id(&task).as_bytes() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    let said = tasks.watch_task(&call, id).await?;
    let told = said.map(|said| match said {
        Said::Closing => Ok(ServerEvent::comment("this server ends, ask again")),
        Said::Changed(task) => ServerEvent::new(&event_id(&task), "task", &*task),
    });
    Ok(event_stream(told))
}

/// Distinguishes the ends of a task, also if it was redriven as a dead letter and ended again.
fn event_id(task: &Task) -> String {
    format!("{}-{}-{}", task.status.as_str(), task.attempts, task.updated_at.as_micros())
}

/// Cancel a task
///
/// A waiting task is cancelled at once; a running one is stopped within moments.
#[utoipa::path(
    delete, path = "/api/v1/tasks/{id}", tag = "tasks", security(("token" = ["tasks:write"])),
    params(("id" = Uuid, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The present state of the task", body = Task),
        (status = 404, description = "No task has this id"),
        (status = 409, description = "The task has ended already"),
    )
)]
pub(super) async fn cancel(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Id(id): Id,
) -> Result<Response, Problem> {
    Ok(JsonAnswer(tasks.cancel_task(&call, id).await?).into_response())
}

/// List tasks
///
/// Newest first, page by page, without their results.
#[utoipa::path(
    get, path = "/api/v1/tasks", tag = "tasks",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Most tasks on the page; 100 by default"),
        ("cursor" = Option<String>, Query, description = "Where the page begins; taken from the Link header of the previous page"),
        ("status" = inline(Option<TaskStatus>), Query, description = "Only tasks with this status"),
        ("type" = Option<String>, Query, description = "Only tasks of this type"),
        ("since" = Option<String>, Query, format = DateTime, description = "Only tasks stored at or after this moment"),
        ("before" = Option<String>, Query, format = DateTime, description = "Only tasks stored before this moment"),
    ),
    responses((status = 200, description = "The tasks", body = Vec<TaskSummary>))
)]
pub(super) async fn list(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    uri: Uri,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let page = PageRequest::read(&mut query);
    let filter = TaskFilter {
        status: query.one_of("status", &TaskStatus::NAMES),
        task_type: query.text("type"),
        since: query
            .parsed::<Timestamp>("since", "a moment like 2026-11-20T18:00:00Z, of the years 1 to 9999"),
        before: query
            .parsed::<Timestamp>("before", "a moment like 2026-11-20T18:00:00Z, of the years 1 to 9999"),
        after: None,
    };
    query.finish()?;
    let filter = TaskFilter { after: page.position::<Uuid>()?, ..filter };
    let found = tasks.list_tasks(&call, filter, page.limit).await?;
    let mut response = JsonAnswer(found.tasks).into_response();
    if let Some(next) = found.next {
        response.headers_mut().insert(header::LINK, next_link(&uri, &encode_cursor(&next)?));
    }
    Ok(response)
}
