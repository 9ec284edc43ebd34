//! The lists of a tenant over HTTP.

use axum::extract::{FromRequestParts, Path, State};
use http::request::Parts as RequestParts;
use http::{HeaderMap, StatusCode, header};
use pando_http::{Code, JsonAnswer, QueryString};
use pando_service::http::{WriteBody, WriteCall, WriteFields};
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::change_lists::Entries;
use crate::domain::ids;
use crate::domain::list::no_list;
use crate::screening::ListFormat;
use crate::{ListEntries, ListHistory, ListKind, ListShown, ListsShown, Risk};

/// The list in the path. If the text is not an id, nothing has it: 404.
struct ListPath;

/// The entry in the path; an extractor.
struct EntryPath(String);

/// The name and the meaning of a list.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; change_lists reads it")]
struct ListFields {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    kind: ListKind,
}

/// An entry of a list.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; the screening reads it")]
struct EntryFields {
    /// Its id, which no other entry of the list has.
    #[schema(min_length = 1, max_length = 2000)]
    id: String,
    /// Its name; it may be missing if there is a contact.
    #[schema(required = false, max_length = 2000)]
    name: String,
    #[schema(required = false)]
    aliases: Vec<String>,
    /// ISO 3166, two letters.
    #[schema(required = false)]
    countries: Vec<String>,
    /// A business, by its id.
    #[schema(required = false)]
    business_id: String,
    /// An address in one of the countries.
    #[schema(required = false)]
    address: String,
    #[schema(required = false)]
    phone: String,
    #[schema(required = false)]
    email: String,
}

/// The question for a page of entries.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list_entries reads it")]
struct EntriesParameters {
    /// How many entries
    #[param(required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: i64,
    /// Only entries with a greater id: the `next` of the page before
    #[param(required = false)]
    after: String,
}

impl InPath for ListPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        ids::LIST.parse(text)
    }

    fn refused() -> Problem {
        no_list().into()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for EntryPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut RequestParts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        path.map(|Path((_, entry))| Self(entry)).map_err(|_| Fault::not_found("entry of the list").into())
    }
}

/// The routes of lists.
pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new()
        .routes(routes!(list_lists, create_list))
        .routes(routes!(read_list, delete_list))
        .routes(routes!(list_list_entries, add_list_entries, replace_list_entries))
        .routes(routes!(remove_list_entry))
}

/// List the lists
#[utoipa::path(get, path = "/api/v1/lists", tag = "lists",
    responses((status = 200, description = "All lists, the oldest first", body = ListsShown)))]
async fn list_lists(
    State(risk): State<Risk>,
    Caller(call): Caller,
) -> Result<JsonAnswer<ListsShown>, Problem> {
    Ok(JsonAnswer(risk.list_lists(&call).await?))
}

/// Create a list
#[utoipa::path(post, path = "/api/v1/lists", tag = "lists", security(("token" = ["lists:write"])),
    request_body = ListFields, params(KeyParameter),
    responses((status = 201, description = "The list, without entries", body = ListShown), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 409, description = "The name is taken, or there are too many")))]
async fn create_list(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.create_list(&call, &fields).await?;
    let place = format!("/api/v1/lists/{}", done.value.id);
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &done.value)
        .version(done.value.version)
        .location(&place))
}

/// Read a list and its latest changes
#[utoipa::path(get, path = "/api/v1/lists/{id}", tag = "lists", params(("id" = String, Path)),
    responses((status = 200, description = "The list", body = ListHistory), (status = 404, description = "There is none")))]
async fn read_list(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<ListPath>,
) -> Result<JsonAnswer<ListHistory>, Problem> {
    Ok(JsonAnswer(risk.get_list(&call, id).await?))
}

/// Delete a list with its entries
#[utoipa::path(delete, path = "/api/v1/lists/{id}", tag = "lists", security(("token" = ["lists:write"])),
    params(("id" = String, Path), KeyParameter),
    responses((status = 204, description = "It is deleted"), KeyRefused, (status = 404, description = "There is none"),
        (status = 412, description = "It has another version")))]
async fn delete_list(
    State(risk): State<Risk>,
    At(id): At<ListPath>,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&headers, false)?;
    let done = risk.delete_list(&call, &expected, id).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}

/// List the entries of a list, by their ids
#[utoipa::path(get, path = "/api/v1/lists/{id}/entries", tag = "lists", params(("id" = String, Path), EntriesParameters),
    responses((status = 200, description = "A page", body = ListEntries), (status = 400, description = "Bad parameters"),
        (status = 404, description = "There is none")))]
async fn list_list_entries(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<ListPath>,
    mut query: QueryString,
) -> Result<JsonAnswer<ListEntries>, Problem> {
    let limit = query.integer("limit", 1..=1_000).and_then(|limit| usize::try_from(limit).ok());
    let after = query.text("after").unwrap_or_default();
    if after.contains('\0') {
        query.error("after", "value", "is not an id");
    }
    query.finish()?;
    Ok(JsonAnswer(risk.list_entries(&call, id, (&after, limit.unwrap_or(100))).await?))
}

/// Add entries to a list, in the place of those with the same ids
#[utoipa::path(post, path = "/api/v1/lists/{id}/entries", tag = "lists", security(("token" = ["lists:write"])),
    request_body(content((Vec<EntryFields> = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"))),
    params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The list", body = ListShown), KeyRefused,
        (status = 400, description = "Every bad record, with its line"), (status = 404, description = "There is none"),
        (status = 409, description = "There would be too many"), (status = 412, description = "It has another version"),
        (status = 415, description = "The body is neither JSON nor CSV")))]
async fn add_list_entries(
    State(risk): State<Risk>,
    At(id): At<ListPath>,
    headers: HeaderMap,
    WriteBody(call, bytes): WriteBody,
) -> Result<WriteAnswer, Problem> {
    let (expected, format) = (expected(&headers, false)?, format_of(&headers)?);
    let done = risk.change_list(&call, (&expected, id), Entries::Add(&bytes, format)).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Replace all entries of a list
#[utoipa::path(put, path = "/api/v1/lists/{id}/entries", tag = "lists", security(("token" = ["lists:write"])),
    request_body(content((Vec<EntryFields> = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"))),
    params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The list", body = ListShown), KeyRefused,
        (status = 400, description = "Every bad record, with its line"), (status = 404, description = "There is none"),
        (status = 409, description = "There would be too many"), (status = 412, description = "It has another version"),
        (status = 415, description = "The body is neither JSON nor CSV")))]
async fn replace_list_entries(
    State(risk): State<Risk>,
    At(id): At<ListPath>,
    headers: HeaderMap,
    WriteBody(call, bytes): WriteBody,
) -> Result<WriteAnswer, Problem> {
    let (expected, format) = (expected(&headers, false)?, format_of(&headers)?);
    let done = risk.change_list(&call, (&expected, id), Entries::Replace(&bytes, format)).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Remove an entry from a list
#[utoipa::path(delete, path = "/api/v1/lists/{id}/entries/{entry}", tag = "lists", security(("token" = ["lists:write"])),
    params(("id" = String, Path), ("entry" = String, Path), KeyParameter),
    responses((status = 200, description = "The list", body = ListShown), KeyRefused,
        (status = 404, description = "There is none"), (status = 412, description = "It has another version")))]
async fn remove_list_entry(
    State(risk): State<Risk>,
    At(id): At<ListPath>,
    EntryPath(entry): EntryPath,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&headers, false)?;
    let done = risk.change_list(&call, (&expected, id), Entries::Remove(&entry)).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

fn format_of(headers: &HeaderMap) -> Result<ListFormat, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" | "application/x-ndjson" => Ok(ListFormat::Json),
        "text/csv" => Ok(ListFormat::Csv),
        _ => Err(Problem::new(
            Code::UnsupportedMedia,
            "entries are application/json, application/x-ndjson or text/csv",
        )),
    }
}
