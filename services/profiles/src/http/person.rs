//! Routes of what a person may ask for: to be erased, and to be told what is known.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use pando_http::{Caller, JsonAnswer, Problem};
use serde_json::Value;
use utoipa::ToSchema;

use super::keyed::{KeyParameter, KeyRefused, Keyed};
use super::{Id, IdParameter, with_token};
use crate::erase_profile::Accepted;
use crate::{Address, Change, Preferences, Profile, Profiles};

/// Everything that is known of one person.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the answer; `export_person` writes it")]
pub(crate) struct PersonExport {
    /// The profile as it stands.
    profile: Profile,
    /// Who made it.
    created_by: String,
    /// When it was deleted, if it was.
    #[schema(format = "date-time")]
    deleted_at: Option<String>,
    address: Option<Address>,
    preferences: Option<Preferences>,
    /// The images: their numbers, addresses and moments.
    #[schema(value_type = Vec<Object>)]
    images: Vec<Value>,
    /// When this was written.
    #[schema(format = "date-time")]
    exported_at: String,
    /// Every change, the latest first.
    history: Vec<Change>,
}

/// Where the task can be followed.
pub(super) fn place_of(accepted: &Accepted) -> String {
    format!("/api/v1/tasks/{}", accepted.id)
}

/// Erase a person
///
/// Removes the profile, deleted or not, with its parts, its history, and what kept answers, imports and jobs say of it.
/// It cannot be restored. A task does it; its result is the receipt.
#[utoipa::path(
    post, path = "/api/v1/profiles/{id}/erase", tag = "profiles", params(IdParameter, KeyParameter),
    responses(
        (status = 202, description = "The task that does it", body = Accepted,
            headers(("Location" = String, description = "Where the task can be followed"))),
        (status = 404, description = "No profile has this id"),
        KeyRefused,
    )
)]
pub(super) async fn erase(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    Id(id): Id,
    keyed: Keyed,
) -> Result<Response, Problem> {
    let write = async |profiles: Profiles| {
        let done = profiles.request_erasure(&call, id).await?;
        let mut response = (StatusCode::ACCEPTED, JsonAnswer(&done.value)).into_response();
        let place = HeaderValue::try_from(place_of(&done.value)).expect("a path of ASCII letters");
        response.headers_mut().insert(header::LOCATION, place);
        Ok(with_token(response, &done.token))
    };
    keyed.once(profiles, &call, "POST /api/v1/profiles/{id}/erase", write).await
}

/// Export what is known of a person
///
/// The profile, deleted or not, its parts, and every change of them, as one document.
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
