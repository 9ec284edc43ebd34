//! Routes that move many profiles: batch, import, export.

use std::pin::pin;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use pando_clock::Clock;
use pando_http::{Caller, Code, JsonAnswer, Problem, QueryString, StreamedBody, media_type};
use pando_service::http::{KeyParameter, WriteAnswer, WriteDocument, with_ignored};
use pando_service::{Fault, Violations};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ignored;
use super::person::accepted;
use crate::domain::import::place_of_import;
use crate::domain::item::Item;
use crate::domain::profile::ProfileFields;
use crate::{
    Accepted, BATCH_ITEMS_MAX, Import, ImportRequest, ItemOutcome, ProfileId, Profiles, RecordFormat,
};

/// The result of each item, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchAnswer<'a> {
    results: &'a [ItemOutcome],
}

/// Create and change many profiles
///
/// An array of 1 to 1000 items, or an object with this array as `items`. Each item has the fields of a profile. An `id`
/// names the profile to change, or becomes the id of a new profile. With a `version` beside it, the change applies only to
/// that version, as with If-Match. Every item is processed and gets its own status.
#[utoipa::path(
    post, path = "/api/v1/profiles:batch", tag = "profiles", request_body = Vec<ProfileFields>, params(KeyParameter),
    responses(
        (status = 200, description = "The result of each item", body = BatchAnswer),
        (status = 409, description = "Another request with this Idempotency-Key is still being processed"),
        (status = 422, description = "The batch is empty or too long. Or the Idempotency-Key was used for another request"),
    )
)]
pub(super) async fn batch(
    State(profiles): State<Profiles>,
    WriteDocument(call, value): WriteDocument,
) -> Result<Response, Problem> {
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut fields) => match fields.remove("items") {
            Some(Value::Array(items)) => items,
            _ => {
                return Err(bad_items("required", "must be an array of profiles"));
            }
        },
        _ => return Err(Problem::malformed("the body must be an array of profiles")),
    };
    if !(1..=BATCH_ITEMS_MAX).contains(&items.len()) {
        let message = format!("must be 1 to {BATCH_ITEMS_MAX}, not {}", items.len());
        return Err(bad_items("count", &message));
    }
    let ignored = ignored(items.iter().filter_map(Value::as_object));
    let items: Vec<Item> = items.into_iter().map(item).collect();
    let done = profiles.write_batch(&call, &items).await?;
    let answer = WriteAnswer::json(StatusCode::OK, &done, &BatchAnswer { results: &done.value });
    Ok(with_ignored(answer.into_response(), ignored))
}

fn bad_items(code: &'static str, message: &str) -> Problem {
    Fault::from(Violations::one("items", code, message)).into()
}

fn item(value: Value) -> Item {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(Violations::one("item", "type", "must be a JSON object")),
    }
}

/// The answer to an upload: the import, or the task that runs it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes the answer; each kind is written as it is")]
pub(crate) enum ImportAnswer {
    Done(Import),
    Accepted(Accepted),
}

/// Import profiles
///
/// A stream of NDJSON or CSV records, written batch by batch. The answer comes when the upload ends. It counts the records
/// by outcome and names the fields and columns that were ignored. If an import broke off, send the same file again with the
/// same `token`: the import continues where it stopped. Another file with that token is refused.
///
/// With `Prefer: respond-async` the answer comes when the upload is stored. A task then imports it, and the task's result is
/// these counts.
#[utoipa::path(
    post, path = "/api/v1/profiles:import", tag = "profiles",
    params(
        ("token" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]{1,64}$", description = "The name of the import; a random one by default"),
        ("dry_run" = Option<bool>, Query, description = "Only report what would happen; each batch is checked on its own"),
        ("Prefer" = Option<String>, Header, pattern = "^respond-async$", description = "A task imports the file (RFC 7240)"),
    ),
    request_body(content(
        (String = "application/x-ndjson", example = json!("{\"name\": \"Zoë\", \"email\": \"zoe@example.org\"}\n")),
        (String = "text/csv", example = json!("name,email\nZoë,zoe@example.org\n")),
    )),
    responses(
        (status = 202, description = "The result of the import, or the task that runs it", body = ImportAnswer, headers(
            ("Location" = String, description = "Where the import, or the task, can be followed"),
            ("Preference-Applied" = String, description = "`respond-async` if a task imports the file"))),
        (status = 409, description = "Another upload is writing this import"),
        (status = 422, description = "The token was used for another file"),
        (status = 507, description = "There is no room left for uploads that wait for their import"),
    )
)]
pub(super) async fn import(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    headers: HeaderMap,
    query: QueryString,
    upload: StreamedBody,
) -> Result<Response, Problem> {
    let request = import_request(&headers, query, &profiles.0.clock)?;
    let pieces = stream::unfold(upload, |mut upload| async {
        upload.next().await.map(|piece| (piece.map_err(Fault::from), upload))
    });
    if prefers_async(&headers) {
        let done = profiles.accept_import(&call, request, pin!(pieces)).await?;
        let mut response = accepted(&done).into_response();
        let applied = HeaderValue::from_static("respond-async");
        response.headers_mut().insert(HeaderName::from_static("preference-applied"), applied);
        return Ok(response);
    }
    let import = profiles.import_profiles(&call, request, pin!(pieces)).await?;
    let mut response = (StatusCode::ACCEPTED, JsonAnswer(&import)).into_response();
    if !import.dry_run {
        let location =
            HeaderValue::try_from(place_of_import(&import.token)).expect("a token is ASCII letters");
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Whether the client prefers not to wait (RFC 7240).
fn prefers_async(headers: &HeaderMap) -> bool {
    let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = lines.flat_map(|line| line.split(',')).map(|one| one.split(';').next());
    preferences.any(|name| name.unwrap_or_default().trim().eq_ignore_ascii_case("respond-async"))
}

fn import_request(
    headers: &HeaderMap,
    mut query: QueryString,
    clock: &Clock,
) -> Result<ImportRequest, Problem> {
    let token = query.text("token");
    if token.as_ref().is_some_and(|token| !is_token(token)) {
        query.error("token", "value", "must be 1 to 64 letters, digits, - and _");
    }
    let dry_run = query.boolean("dry_run").unwrap_or(false);
    query.finish()?;
    let format = match media_type(headers)?.as_deref() {
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => RecordFormat::Ndjson,
        Some("text/csv") => RecordFormat::Csv,
        _ => {
            return Err(Problem::new(
                Code::UnsupportedMedia,
                "an import is application/x-ndjson or text/csv",
            ));
        }
    };
    let token = token.unwrap_or_else(|| clock.fresh_id().to_string());
    Ok(ImportRequest { token, format, dry_run })
}

fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Read the progress of an import
#[utoipa::path(
    get, path = "/api/v1/profiles:import", tag = "profiles",
    params(("token" = String, Query, pattern = "^[A-Za-z0-9_-]{1,64}$", description = "Names the import")),
    responses(
        (status = 200, description = "How far the import is", body = Import),
        (status = 404, description = "No import has this token"),
    )
)]
pub(super) async fn import_progress(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<Import>, Problem> {
    let token = query.text("token").filter(|token| is_token(token));
    if token.is_none() {
        query.error("token", "value", "must be given: 1 to 64 letters, digits, - and _");
    }
    query.finish()?;
    Ok(JsonAnswer(profiles.get_import(&call, &token.unwrap_or_default()).await?))
}

/// The values of `format`.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes the parameter; RecordFormat stands for it")]
enum FormatWord {
    Ndjson,
    Csv,
}

/// Export profiles
///
/// All living profiles as a stream, in the order of their ids. If a stream breaks off, ask for the rest with `after` and the
/// last id.
#[utoipa::path(
    get, path = "/api/v1/profiles:export", tag = "profiles",
    params(
        ("format" = inline(Option<FormatWord>), Query, description = "`ndjson` by default"),
        ("after" = Option<Uuid>, Query, description = "Begin after the profile of this id"),
    ),
    responses((status = 200, description = "The profiles", content(
        (String = "application/x-ndjson"), (String = "text/csv"))))
)]
pub(super) async fn export(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let format = query.one_of("format", &[("ndjson", RecordFormat::Ndjson), ("csv", RecordFormat::Csv)]);
    let format = format.unwrap_or(RecordFormat::Ndjson);
    let after = query.text("after").map(|text| ProfileId::parse(&text));
    if after == Some(None) {
        query.error("after", "value", "must be the id of a profile: a UUID");
    }
    query.finish()?;
    let stream = profiles.export_profiles(&call, format, after.flatten());
    let media = HeaderValue::from_static(format.media_type());
    Ok(([(header::CONTENT_TYPE, media)], Body::from_stream(stream)).into_response())
}
