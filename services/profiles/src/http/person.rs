//! The routes for the rights of a person: erasure, and a copy of all data about them.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use pando_http::{Caller, Problem};
use pando_service::http::{KeyParameter, KeyRefused, WriteAnswer, WriteCall};
use pando_service::{Fault, Written};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Id, IdParameter};
use crate::accepted::Accepted;
use crate::{Address, Change, Preferences, Profile, ProfileId, Profiles};

/// Everything that is known of one person.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the answer; `export_person` writes it")]
pub(crate) struct PersonExport {
    /// The present profile.
    profile: Profile,
    /// Who created the profile.
    created_by: String,
    /// When the profile was deleted, if it was.
    #[schema(format = "date-time")]
    deleted_at: Option<String>,
    address: Option<Address>,
    preferences: Option<Preferences>,
    /// The images: their numbers, addresses and times.
    #[schema(value_type = Vec<Object>)]
    images: Vec<Value>,
    /// When this document was written.
    #[schema(format = "date-time")]
    exported_at: String,
    /// Every change, the latest first.
    history: Vec<Change>,
}

/// The answer to a request for which a task does the work: where the task can be followed.
pub(super) fn accepted(done: &Written<Accepted>) -> WriteAnswer {
    let place = format!("/api/v1/tasks/{}", done.value.id);
    WriteAnswer::json(StatusCode::ACCEPTED, done, &done.value).location(&place)
}

/// Erase a person
///
/// Removes the profile, deleted or not, with its parts and its history, and everything about it in stored answers, imports
/// and jobs. An erased profile cannot be restored. A task does the work, and its result is the receipt.
#[utoipa::path(
    post, path = "/api/v1/profiles/{id}/erase", tag = "profiles", security(("token" = ["profiles:delete"])), params(IdParameter, KeyParameter),
    responses(
        (status = 202, description = "The task that does the work", body = Accepted,
            headers(("Location" = String, description = "Where the task can be followed"))),
        (status = 404, description = "No profile has this id"),
        KeyRefused,
    )
)]
pub(super) async fn erase(
    State(profiles): State<Profiles>,
    Id(id): Id,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    Ok(accepted(&profiles.request_erasure(&call, id).await?))
}

/// Export everything that is known of a person, by a task
///
/// A task writes the document that GET returns into a file. Its result is the receipt: the size, the BLAKE3 hash of the
/// content, the address of the file, and the time until which it can be fetched. A second request before the task has ended
/// gets the same task.
#[utoipa::path(
    post, path = "/api/v1/profiles/{id}/data-export", tag = "profiles", params(IdParameter, KeyParameter),
    responses(
        (status = 202, description = "The task that does the work", body = Accepted,
            headers(("Location" = String, description = "Where the task can be followed"))),
        (status = 404, description = "No profile has this id"),
        KeyRefused,
    )
)]
pub(super) async fn request_data_export(
    State(profiles): State<Profiles>,
    Id(id): Id,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    Ok(accepted(&profiles.request_export(&call, id).await?))
}

/// Fetch an export
///
/// Returns the file that a task of the type `export` wrote, until the time that its receipt names.
#[utoipa::path(
    get, path = "/api/v1/exports/{id}", tag = "profiles",
    params(("id" = Uuid, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The file", content(
            (PersonExport = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 404, description = "No export has this id, or the export has expired"),
    )
)]
pub(super) async fn fetch_export(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id =
        path.ok().and_then(|Path(text)| ProfileId::parse(&text)).ok_or_else(|| Fault::not_found("export"))?;
    let export = profiles.fetch_export(&call, id.into()).await?;
    let name = match export.media_type.as_str() {
        "text/csv" => "profiles.csv",
        "application/x-ndjson" => "profiles.ndjson",
        _ => "data-export.json",
    };
    let value = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    let headers = [
        (header::CONTENT_TYPE, value(export.media_type)?),
        (header::CONTENT_LENGTH, export.bytes.into()),
        (header::CONTENT_DISPOSITION, value(format!("attachment; filename=\"{name}\""))?),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    Ok((headers, Body::from_stream(export.content)).into_response())
}

/// Export everything that is known of a person
///
/// Returns the profile, deleted or not, its parts, and every change of them, as one document.
#[utoipa::path(
    get, path = "/api/v1/profiles/{id}/data-export", tag = "profiles", params(IdParameter),
    responses(
        (status = 200, description = "Everything", body = PersonExport),
        (status = 404, description = "No profile has this id"),
    )
)]
pub(super) async fn data_export(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    Id(id): Id,
) -> Result<Response, Problem> {
    let stream = profiles.export_person(&call, id).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"data-export.json\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}
