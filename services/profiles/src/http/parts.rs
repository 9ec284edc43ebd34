//! Routes of a profile's parts, and the composite reads.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use pando_http::{Caller, IfNoneMatch, JsonAnswer, Problem, QueryString};
use pando_service::Written;
use pando_service::http::{KeyParameter, WriteAnswer, WriteFields, cached, json};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ChangeRefused, Id, IdParameter, IfMatchParameter, expected};
use crate::{Address, FetchMode, FullProfile, PartWritten, Preferences, ProfileId, Profiles};

/// A profile with its parts, and where it was read.
#[derive(Serialize, ToSchema)]
pub(crate) struct FullAnswer {
    #[serde(flatten)]
    full: FullProfile,
    /// `cache` or `database`.
    source: &'static str,
}

/// A profile with its parts as three texts, for older clients.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserProfile {
    /// Name and e-mail.
    basic_info: String,
    /// The address on one line; empty when none was written.
    address: String,
    /// The preferences on one line; empty when none were written.
    preferences: String,
}

/// Read a profile with its parts
#[utoipa::path(
    get, path = "/api/v1/profiles/{id}/full", tag = "profiles",
    params(IdParameter),
    responses(
        (status = 200, description = "The profile, its address and its preferences", body = FullAnswer),
        (status = 304, description = "The caller has this version already"),
        (status = 404, description = "No living profile has this id"),
    )
)]
pub(super) async fn full(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    Id(id): Id,
    IfNoneMatch(known): IfNoneMatch,
) -> Result<Response, Problem> {
    let full = profiles.read_full_profile(&call, id).await?;
    cached(&full, &known, |full| Ok(json(full.answer())))
}

/// Write the address of a profile
///
/// Replaces the whole address: absent lines become empty.
#[utoipa::path(
    put, path = "/api/v1/profiles/{id}/address", tag = "profiles", request_body = Address,
    params(IdParameter, IfMatchParameter, KeyParameter),
    responses(
        (status = 200, description = "The address; the ETag is the profile's new version", body = Address),
        (status = 409, description = "Another request with this Idempotency-Key is still being processed"),
        (status = 422, description = "Some fields are not valid; each is named. Or the Idempotency-Key was used for another request"),
        ChangeRefused,
    )
)]
pub(super) async fn put_address(
    State(profiles): State<Profiles>,
    Id(id): Id,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&profiles, &headers)?;
    Ok(written(&profiles.put_address(&call, id, &expected, &fields).await?))
}

/// Write the preferences of a profile
///
/// Replaces all preferences: absent ones get their defaults.
#[utoipa::path(
    put, path = "/api/v1/profiles/{id}/preferences", tag = "profiles", request_body = Preferences,
    params(IdParameter, IfMatchParameter, KeyParameter),
    responses(
        (status = 200, description = "The preferences; the ETag is the profile's new version", body = Preferences),
        (status = 409, description = "Another request with this Idempotency-Key is still being processed"),
        (status = 422, description = "Some fields are not valid; each is named. Or the Idempotency-Key was used for another request"),
        ChangeRefused,
    )
)]
pub(super) async fn put_preferences(
    State(profiles): State<Profiles>,
    Id(id): Id,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&profiles, &headers)?;
    Ok(written(&profiles.put_preferences(&call, id, &expected, &fields).await?))
}

fn written<P: Serialize>(done: &Written<PartWritten<P>>) -> WriteAnswer {
    WriteAnswer::json(StatusCode::OK, done, &done.value.part).version(done.value.version)
}

/// The values of `mode`.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes the parameter; FetchMode stands for it")]
enum ModeWord {
    Sequential,
    Concurrent,
    Joined,
    Cached,
}

/// Read a profile with its parts, for older clients
#[utoipa::path(
    get, path = "/getUserProfile", tag = "profiles",
    params(
        ("userID" = Uuid, Query, description = "The profile's id"),
        ("mode" = inline(Option<ModeWord>), Query,
            description = "How the profile is fetched; `cached` by default, which uses the cache and otherwise works like `joined`"),
    ),
    responses(
        (status = 200, description = "Three texts", body = UserProfile),
        (status = 404, description = "No living profile has this id"),
    )
)]
pub(super) async fn get_user_profile(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<UserProfile>, Problem> {
    let modes = [
        ("sequential", Some(FetchMode::Sequential)),
        ("concurrent", Some(FetchMode::Concurrent)),
        ("joined", Some(FetchMode::Joined)),
        ("cached", None),
    ];
    let mode = query.one_of("mode", &modes).unwrap_or_default();
    let id = query.text("userID").and_then(|text| ProfileId::parse(&text));
    if id.is_none() {
        query.error("userID", "value", "must be given once, and be the id of a profile: a UUID");
    }
    query.finish()?;
    let id = id.ok_or_else(|| Problem::malformed("userID is missing"))?;
    Ok(JsonAnswer(match mode {
        Some(mode) => UserProfile::of(profiles.get_full_profile(&call, id, mode).await?),
        None => {
            let kept = profiles.read_full_profile(&call, id).await?;
            UserProfile::of(serde_json::from_slice(kept.bytes()).map_err(Problem::internal)?)
        }
    }))
}

impl UserProfile {
    fn of(full: FullProfile) -> Self {
        Self {
            basic_info: format!("{} <{}>", full.profile.name.as_str(), full.profile.email.as_str()),
            address: full.address.map(|part| part.one_line()).unwrap_or_default(),
            preferences: full.preferences.map(|part| part.one_line()).unwrap_or_default(),
        }
    }
}
