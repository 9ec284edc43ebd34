//! Routes of schedules.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use pando_database::Token;
use pando_http::{
    CONSISTENCY_TOKEN, Caller, IfMatch, JsonAnswer, JsonBody, PageRequest, Precondition, Problem,
    QueryString, encode_cursor, etag, next_link,
};
use serde_json::Value;
use utoipa::ToSchema;

use crate::put_schedule::Expected;
use crate::{Schedule, Tasks};

/// The fields of a schedule. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; `schedule::parse` reads it, and names every bad field")]
pub(crate) struct ScheduleFields {
    /// Five fields of cron in UTC, or `@hourly`, `@daily`, `@weekly`, `@monthly`. Either this or `every`.
    #[schema(example = "0 3 * * *")]
    cron: Option<String>,
    /// The time between two moments, in whole seconds, such as `90s`, `15m` or `24h`.
    #[schema(value_type = Option<String>)]
    every: Option<String>,
    /// The type of each task.
    #[schema(example = "echo")]
    task_type: String,
    /// The data of each task.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The priority: 9 goes first, 5 is usual, 0 goes last.
    #[schema(minimum = 0, maximum = 9)]
    priority: Option<u8>,
    /// How often each task is retried.
    #[schema(minimum = 0)]
    max_retries: Option<u16>,
    /// The address that is called when a task has ended.
    #[schema(max_length = 2048, format = "uri")]
    callback_url: Option<String>,
    /// A paused schedule stores no tasks.
    paused: Option<bool>,
    /// Whether a task is stored even if the previous task has not ended.
    overlap: Option<bool>,
}

/// Store or change a schedule
///
/// At each moment of the schedule one task is stored, however many processes run. If several moments passed while no process
/// ran, they store one task together. With `If-None-Match: *` the request only creates a new schedule; with `If-Match` it only
/// changes the version that the client has read.
#[utoipa::path(
    put, path = "/api/v1/schedules/{name}", tag = "schedules", request_body = ScheduleFields,
    params(
        ("name" = String, Path, pattern = "^[A-Za-z0-9._-]{1,100}$", description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The version that was read"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if no schedule has this name"),
    ),
    responses(
        (status = 200, description = "The schedule was changed", body = Schedule),
        (status = 201, description = "The schedule is new", body = Schedule),
        (status = 404, description = "No schedule has this name, and If-Match names a version"),
        (status = 412, description = "The condition is not met"),
        (status = 422, description = "A field is invalid"),
    )
)]
pub(super) async fn put_schedule(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Path(name): Path<String>,
    IfMatch(matching): IfMatch,
    headers: HeaderMap,
    JsonBody(fields): JsonBody,
) -> Result<Response, Problem> {
    let absent = match Precondition::if_none_match(&headers)? {
        Precondition::None => false,
        Precondition::Any => true,
        Precondition::Tags(_) => return Err(Problem::malformed("If-None-Match must be `*` here")),
    };
    let expected = Expected { matching: Some(matching), absent };
    let (schedule, token) = tasks.put_schedule(&call, &name, &fields, &expected).await?;
    let status = if schedule.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(with_token((status, answer(schedule)).into_response(), &token))
}

/// Read a schedule
#[utoipa::path(
    get, path = "/api/v1/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The schedule, and its next moments", body = Schedule),
        (status = 404, description = "No schedule has this name"),
    )
)]
pub(super) async fn read_schedule(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    Ok(answer(tasks.get_schedule(&call, &name).await?))
}

/// List schedules
///
/// In the order of their names, page by page.
#[utoipa::path(
    get, path = "/api/v1/schedules", tag = "schedules",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Most schedules on the page; 100 by default"),
        ("cursor" = Option<String>, Query, description = "Where the page begins; taken from the Link header of the previous page"),
    ),
    responses((status = 200, description = "The schedules", body = Vec<Schedule>))
)]
pub(super) async fn list_schedules(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    uri: Uri,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let page = PageRequest::read(&mut query);
    query.finish()?;
    let after = page.position::<String>()?.unwrap_or_default();
    let (schedules, next) = tasks.list_schedules(&call, &after, page.limit).await?;
    let mut response = JsonAnswer(schedules).into_response();
    if let Some(next) = next {
        response.headers_mut().insert(header::LINK, next_link(&uri, &encode_cursor(&next)?));
    }
    Ok(response)
}

/// Delete a schedule
///
/// Tasks that the schedule has already stored still run.
#[utoipa::path(
    delete, path = "/api/v1/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No schedule has this name"),
    )
)]
pub(super) async fn delete_schedule(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let token = tasks.delete_schedule(&call, &name).await?;
    Ok(with_token(StatusCode::NO_CONTENT.into_response(), &token))
}

fn answer(schedule: Schedule) -> Response {
    let version = schedule.version;
    let mut response = JsonAnswer(schedule).into_response();
    response.headers_mut().insert(header::ETAG, etag(version));
    response
}

fn with_token(mut response: Response, token: &Token) -> Response {
    if let Ok(token) = HeaderValue::try_from(token.to_string()) {
        response.headers_mut().insert(CONSISTENCY_TOKEN, token);
    }
    response
}
