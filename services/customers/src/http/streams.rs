//! Many customers in and out as lines of JSON, and their changes as server-sent events.

use std::pin::pin;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, header};
use pando_http::{
    Code, JsonAnswer, QueryString, RouteLimits, StreamedBody, decode_cursor, media_type, parse_json,
};
use pando_service::http::{Keyed, ServerEvent, event_stream};
use pando_service::prelude::*;
use pando_service::{Class, FieldError};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::lines::{LINE_BYTES_MAX, Line, LineReader};
use super::{given, shown};
use crate::domain::customer::Given;
use crate::list_customers::check_token;
use crate::{Customers, ExportPage, ImportItem, Imported, Watched, WatchedChange};

/// The limits of an import: it takes as long as its lines keep coming.
pub(super) const IMPORT: RouteLimits = RouteLimits {
    path: "/api/v1/customers/import",
    body_bytes_max: Some(16 * 1024 * 1024 * 1024),
    deadline_ms: None,
    body_idle_ms: Some(30_000),
};

/// The media type of lines of JSON.
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The outcome of an import.
#[derive(Serialize, ToSchema)]
struct CustomersImported {
    /// How many customers were created.
    created: usize,
    /// How many lines were refused.
    refused: usize,
    /// The faults of the first hundred of them.
    problems: Vec<LineRefused>,
}

/// A fault of a line.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomerLineRefused)]
struct LineRefused {
    /// The number of the line, from 1.
    line: usize,
    /// The field that is wrong: `id` if it is taken, and `line` if the line is not a JSON object.
    field: String,
    /// The fault.
    message: String,
}

/// The routes of streams.
pub(super) fn routes() -> OpenApiRouter<Customers> {
    OpenApiRouter::new().routes(routes!(export)).routes(routes!(import)).routes(routes!(watch))
}

/// Export customers
///
/// All customers, the newest first, one JSON object a line. The stream is complete if it ends as HTTP has it; if the export
/// fails in the middle, the connection breaks off. Then ask for the rest with `after` and the id of the last whole line.
#[utoipa::path(get, path = "/api/v1/customers/export", tag = "customers",
    params(
        ("after" = Option<String>, Query, description = "Begin after the customer of this id, the last one that was received"),
        ("cursor" = Option<String>, Query, description = "Begin at the `next` of a page of the list without filters, or at a page token"),
    ),
    responses((status = 200, description = "The customers", content_type = "application/x-ndjson", body = String),
        (status = 422, description = "No customer had the id that `after` names, or the cursor is not one of this list")))]
async fn export(
    State(customers): State<Customers>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let after = query.text("after").filter(|after| !after.is_empty());
    let cursor = query.text("cursor").filter(|cursor| !cursor.is_empty());
    if after.is_some() && cursor.is_some() {
        query.error("after", "value", "cannot be used together with cursor");
    }
    query.finish()?;
    let begin = match after {
        Some(id) => Some(customers.place_behind(&call, &id).await?),
        None => cursor.map(|cursor| decode_cursor(&cursor)).transpose()?,
    };
    check_token(&call, begin.as_ref())?;
    let mut pages = Box::pin(customers.export_customers(&call, begin));
    // Before the head of the answer: a failure now has a status.
    let first = pages.next().await.transpose()?;
    let lines = stream::iter(first.map(Ok)).chain(pages).map(|page| lines_of(&page?));
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

/// Import customers
///
/// One customer a line, as a JSON object; blank lines are skipped. The customers are created in batches of 500, those of each
/// batch that can be created. A line that is refused keeps no other one back, and the answer names its number. With an
/// Idempotency-Key, an import that broke off can be sent again from its beginning, also over gRPC: what was created is not
/// created again.
#[utoipa::path(post, path = "/api/v1/customers/import", tag = "customers", params(KeyParameter),
    request_body(content((String = "application/x-ndjson", example = json!("{\"name\": \"Zoë\", \"email\": \"zoe@example.org\"}\n")))),
    responses((status = 200, description = "How many customers were created, and the lines that were refused", body = CustomersImported),
        KeyRefused))]
async fn import(
    State(customers): State<Customers>,
    keyed: Keyed,
    headers: HeaderMap,
    body: StreamedBody,
) -> Result<Response, Problem> {
    match media_type(&headers)?.as_deref() {
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => {}
        _ => return Err(Problem::new(Code::UnsupportedMedia, "an import is application/x-ndjson")),
    }
    let items = stream::try_unfold(LineReader::new(body), |mut lines| async {
        Ok::<_, Fault>(lines.next().await?.map(|line| (item_of(line), lines)))
    });
    let imported = customers.import_customers(keyed.call(), keyed.key(), pin!(items)).await?;
    Ok(JsonAnswer(CustomersImported::from(imported)).into_response())
}

/// Watch customers
///
/// Server-sent events: `customer_created`, `customer_updated` and `customer_deleted`, each change once and in order, from now
/// on or from a position. The `id` of an event is its position. When the server stops it ends the stream, and a browser
/// connects again with `Last-Event-ID`: it misses and repeats nothing. The stream begins with a position.
#[utoipa::path(get, path = "/api/v1/customers/watch", tag = "customers",
    params(
        ("position" = Option<String>, Query, description = "The position of the last event that was received"),
        ("Last-Event-ID" = Option<String>, Header, description = "The same, as browsers send it; it counts before `position`"),
    ),
    responses((status = 200, description = "The changes", content_type = "text/event-stream", body = WatchedChange),
        (status = 422, description = "The position is not one of this server, or what came after it is not kept any more (code `lost`)"),
        (status = 429, description = "The server has as many watches as it allows")))]
async fn watch(
    State(customers): State<Customers>,
    Caller(call): Caller,
    headers: HeaderMap,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let position = query.text("position").unwrap_or_default();
    query.finish()?;
    let position = match headers.get("last-event-id").filter(|last| !last.is_empty()) {
        // Bytes that are no text are no position either.
        Some(last) => String::from_utf8_lossy(last.as_bytes()).into_owned(),
        None => position,
    };
    let changes = customers.watch_customers(&call, customers.asked_position(&position)?).await?;
    Ok(event_stream(changes.map(move |watched| match watched {
        Ok(Watched { position, change: None }) => Ok(ServerEvent::id(&customers.shown_position(position)?)),
        Ok(Watched { position, change: Some(change) }) => {
            ServerEvent::new(&customers.shown_position(position)?, &change.kind, &change)
        }
        // The server stops, or its database is away: the stream ends as it should, and clients connect again.
        Err(fault) if fault.class() == Class::Unavailable => Ok(ServerEvent::comment(fault.detail())),
        Err(fault) => Err(fault),
    })))
}

fn lines_of(page: &ExportPage) -> Result<Bytes, Fault> {
    let mut lines = Vec::with_capacity(page.customers.len() * 256);
    for customer in &page.customers {
        serde_json::to_writer(&mut lines, &shown(customer))?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}

fn item_of(line: Line) -> ImportItem {
    ImportItem { place: line.number, given: customer_of(line.text.as_deref()) }
}

fn customer_of(line: Option<&[u8]>) -> Result<Given, Vec<FieldError>> {
    let bad = |code, message: String| vec![FieldError::new("line", code, message)];
    let Some(line) = line else {
        return Err(bad("too_long", format!("is longer than {LINE_BYTES_MAX} bytes")));
    };
    match parse_json(line) {
        Ok(Value::Object(fields)) => given(&fields).map_err(|fault| fault.errors().to_vec()),
        Ok(_) => Err(bad("type", "must be a JSON object".to_owned())),
        // To the parser, the line is the whole body.
        Err(problem) => {
            let message = problem.detail().trim_start_matches("the body ");
            Err(bad("malformed", message.replace(" at line 1 column ", " at column ")))
        }
    }
}

impl From<Imported> for CustomersImported {
    fn from(Imported { created, refused, problems }: Imported) -> Self {
        let problems = problems.into_iter();
        let problems =
            problems.map(|it| LineRefused { line: it.index, field: it.field, message: it.message });
        Self { created, refused, problems: problems.collect() }
    }
}
