//! Cases over HTTP.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use pando_http::{JsonAnswer, QueryString, decode_cursor};
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::case::no_case;
use crate::domain::ids;
use crate::work_on_case::Work;
use crate::{Case, CaseFile, CaseOutcome, CasePage, CaseStatus, Risk};

/// The case in the path. If the text is not an id, nothing has it: 404.
struct CasePath;

/// The person who works on a case.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; work_on_case reads it")]
struct AssignFields {
    /// Nobody, if it is missing.
    #[schema(required = false, max_length = 200)]
    assignee: String,
    #[schema(required = false, max_length = 10_000)]
    note: String,
}

/// A note.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; work_on_case reads it")]
struct NoteFields {
    #[schema(min_length = 1, max_length = 10_000)]
    note: String,
}

/// A proposal.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; work_on_case reads it")]
struct ProposalFields {
    outcome: CaseOutcome,
    #[schema(required = false, max_length = 10_000)]
    note: String,
}

/// The word of the second person.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; work_on_case reads it")]
struct ConfirmationFields {
    /// Whether the outcome is right. If not, the proposal is taken back.
    agree: bool,
    #[schema(required = false, max_length = 10_000)]
    note: String,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list_cases reads it")]
struct ListParameters {
    /// How many cases
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: i64,
    /// Only those in this status
    #[param(required = false, inline)]
    status: CaseStatus,
    /// The `next` of the page before
    #[param(required = false)]
    cursor: String,
}

impl InPath for CasePath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        ids::CASE.parse(text)
    }

    fn refused() -> Problem {
        no_case().into()
    }
}

/// The routes of cases.
pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new()
        .routes(routes!(list_cases))
        .routes(routes!(read_case))
        .routes(routes!(assign_case))
        .routes(routes!(note_case))
        .routes(routes!(propose_case))
        .routes(routes!(confirm_case))
}

/// List cases, the newest first
#[utoipa::path(get, path = "/api/v1/cases", tag = "cases", params(ListParameters),
    responses((status = 200, description = "A page", body = CasePage), (status = 400, description = "Bad parameters")))]
async fn list_cases(
    State(risk): State<Risk>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<CasePage>, Problem> {
    let limit = query.integer("limit", 1..=100).and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20);
    let status = query.one_of("status", &CaseStatus::ALL);
    let cursor = query.text("cursor").filter(|cursor| !cursor.is_empty());
    query.finish()?;
    let after = cursor.map(|cursor| decode_cursor(&cursor)).transpose()?;
    Ok(JsonAnswer(risk.list_cases(&call, (status, after, limit)).await?))
}

/// Read a case and its notes
#[utoipa::path(get, path = "/api/v1/cases/{id}", tag = "cases", params(("id" = String, Path)),
    responses((status = 200, description = "The case", body = CaseFile), (status = 404, description = "There is none")))]
async fn read_case(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<CasePath>,
) -> Result<JsonAnswer<CaseFile>, Problem> {
    Ok(JsonAnswer(risk.get_case(&call, id).await?))
}

/// Say who works on a case
#[utoipa::path(post, path = "/api/v1/cases/{id}/assign", tag = "cases", security(("token" = ["cases:write"])),
    request_body = AssignFields, params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The case", body = Case), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 409, description = "It is closed"), (status = 412, description = "It has another version")))]
async fn assign_case(
    State(risk): State<Risk>,
    At(id): At<CasePath>,
    headers: HeaderMap,
    body: WriteFields,
) -> Result<WriteAnswer, Problem> {
    work(&risk, id, &headers, (Work::Assign, body)).await
}

/// Write a note on a case
#[utoipa::path(post, path = "/api/v1/cases/{id}/notes", tag = "cases", security(("token" = ["cases:write"])),
    request_body = NoteFields, params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The case", body = Case), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 409, description = "It has too many notes"), (status = 412, description = "It has another version")))]
async fn note_case(
    State(risk): State<Risk>,
    At(id): At<CasePath>,
    headers: HeaderMap,
    body: WriteFields,
) -> Result<WriteAnswer, Problem> {
    work(&risk, id, &headers, (Work::Note, body)).await
}

/// Propose the outcome of a case
#[utoipa::path(post, path = "/api/v1/cases/{id}/propose", tag = "cases", security(("token" = ["cases:write"])),
    request_body = ProposalFields, params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The case", body = Case), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 409, description = "It is closed"), (status = 412, description = "It has another version")))]
async fn propose_case(
    State(risk): State<Risk>,
    At(id): At<CasePath>,
    headers: HeaderMap,
    body: WriteFields,
) -> Result<WriteAnswer, Problem> {
    work(&risk, id, &headers, (Work::Propose, body)).await
}

/// Confirm the outcome that another person has proposed, or take the proposal back
#[utoipa::path(post, path = "/api/v1/cases/{id}/confirm", tag = "cases", security(("token" = ["cases:write"])),
    request_body = ConfirmationFields, params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The case", body = Case), KeyRefused,
        (status = 400, description = "Every bad field"),
        (status = 403, description = "The caller has proposed the outcome"), (status = 404, description = "There is none"),
        (status = 409, description = "It is closed, or nothing is proposed"),
        (status = 412, description = "It has another version")))]
async fn confirm_case(
    State(risk): State<Risk>,
    At(id): At<CasePath>,
    headers: HeaderMap,
    body: WriteFields,
) -> Result<WriteAnswer, Problem> {
    work(&risk, id, &headers, (Work::Confirm, body)).await
}

async fn work(
    risk: &Risk,
    id: Uuid,
    headers: &HeaderMap,
    (work, WriteFields(call, fields)): (Work, WriteFields),
) -> Result<WriteAnswer, Problem> {
    let expected = expected(headers, false)?;
    let done = risk.work_on_case(&call, (&expected, id), (work, &fields)).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}
