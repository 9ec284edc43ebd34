//! The routes: each parses, calls one operation and answers.

mod bulk;
mod parts;
mod profiles;

use axum::extract::{FromRequestParts, Path};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pando_database::{DatabaseError, Token};
use pando_http::{CONSISTENCY_TOKEN, Code, JsonAnswer, Precondition, Problem, RouteLimits, etag};
use serde::Serialize;
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, IntoResponses};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{Expected, ProfileError, ProfileId, Profiles};

/// Largest batch, in bytes: a thousand profiles with long biographies.
const BATCH_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a batch may take.
const BATCH_MS_MAX: u64 = 30_000;
/// Largest import, in bytes.
const IMPORT_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Longest pause in the upload of an import; as long as it keeps flowing, it may take as long as it takes.
const IMPORT_IDLE_MS_MAX: u64 = 30_000;

/// Every route of the service, with its description.
pub fn routes(profiles: Profiles) -> OpenApiRouter {
    described_routes().with_state(profiles)
}

/// The description alone, for those who only want to read it: no service and no database is behind it.
pub fn description() -> OpenApi {
    described_routes().into_openapi()
}

fn described_routes() -> OpenApiRouter<Profiles> {
    OpenApiRouter::new()
        .routes(routes!(profiles::list, profiles::create))
        .routes(routes!(profiles::create_random))
        .routes(routes!(profiles::read, profiles::update, profiles::patch, profiles::delete))
        .routes(routes!(profiles::restore))
        .routes(routes!(profiles::history))
        .routes(routes!(parts::full))
        .routes(routes!(parts::put_address))
        .routes(routes!(parts::put_preferences))
        .routes(routes!(parts::get_user_profile))
        .routes(routes!(bulk::batch))
        .routes(routes!(bulk::import, bulk::import_progress))
        .routes(routes!(bulk::export))
}

/// The routes whose bodies may be larger, or take longer, than others.
pub fn limits() -> Vec<RouteLimits> {
    let batch = RouteLimits {
        path: "/api/v1/profiles:batch",
        body_bytes_max: Some(BATCH_BYTES_MAX),
        deadline_ms: Some(BATCH_MS_MAX),
        ..RouteLimits::default()
    };
    let import = RouteLimits {
        path: "/api/v1/profiles:import",
        body_bytes_max: Some(IMPORT_BYTES_MAX),
        body_idle_ms: Some(IMPORT_IDLE_MS_MAX),
        ..RouteLimits::default()
    };
    vec![batch, import]
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::NotFound => Self::not_found("profile"),
            ProfileError::ImportNotFound => Self::not_found("import"),
            ProfileError::Contended => Self::new(Code::Unavailable, error.to_string()).with_retry_after(1),
            ProfileError::EmailTaken => {
                let detail = "another profile has this e-mail address";
                Self::new(Code::Conflict, detail).with_field("email", "taken", "is taken by another profile")
            }
            ProfileError::Invalid(violations) => violations.into_problem(),
            ProfileError::VersionMismatch { current } => Self::new(
                Code::VersionMismatch,
                format!("the profile is at version {current} now: read it again"),
            )
            .with_header(header::ETAG, etag(current)),
            ProfileError::Refused(problem) => problem,
            ProfileError::ImportBusy => Self::new(Code::Conflict, error.to_string()).with_retry_after(5),
            ProfileError::Database(error) => database_problem(error),
        }
    }
}

/// What a caller learns of a database that did not do it: whether, and when, to try again.
fn database_problem(error: DatabaseError) -> Problem {
    match &error {
        DatabaseError::Unavailable { .. }
        | DatabaseError::PoolTimeout { .. }
        | DatabaseError::Contention { .. } => Problem::unavailable(error),
        DatabaseError::CommitUnknown { .. } => {
            let detail = "the connection broke during the commit: the change may or may not have happened";
            Problem::new(Code::Unavailable, detail).with_source(error)
        }
        DatabaseError::DeadlineExceeded => {
            Problem::new(Code::Timeout, "the database did not answer in time").with_source(error)
        }
        DatabaseError::StorageFull => {
            Problem::new(Code::StorageFull, "the database has no room left").with_source(error)
        }
        _ => Problem::internal(error),
    }
}

/// How every route of one profile names it.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes the path; Id reads it")]
struct IdParameter {
    /// The profile's id
    id: Uuid,
}

/// How every change can be fenced.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes the header; `expected` reads it")]
struct IfMatchParameter {
    /// Change only this version of the profile
    #[param(rename = "If-Match", pattern = r#"^(\*|"[0-9]{1,18}")$"#)]
    if_match: Option<String>,
}

/// Why a change of one profile is refused, whatever the change.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes the answers; ProfileError makes them")]
enum ChangeRefused {
    /// No living profile has this id
    #[response(status = 404)]
    NotFound,
    /// The profile has another version now
    #[response(status = 412)]
    VersionMismatch,
    /// If-Match is required here
    #[response(status = 428)]
    VersionRequired,
}

/// The `{id}` of a path. What is no id names no profile: 404.
pub(crate) struct Id(ProfileId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| ProfileId::parse(&text));
        id.map(Self).ok_or_else(|| Problem::not_found("profile"))
    }
}

/// Reads `If-Match`; where the options insist on it, its absence is 428.
fn expected(profiles: &Profiles, headers: &HeaderMap) -> Result<Expected, Problem> {
    let precondition = Precondition::if_match(headers)?;
    if profiles.0.options.require_if_match {
        precondition.require()?;
    }
    Ok(match precondition {
        Precondition::None | Precondition::Any => Expected::Any,
        Precondition::Tags(tags) => {
            Expected::OneOf(tags.iter().filter(|tag| !tag.weak).filter_map(|tag| tag.version).collect())
        }
    })
}

/// The answer to a write: the body, its version as `ETag`, and the token that makes a later read see it.
fn written(status: StatusCode, body: &impl Serialize, version: i64, token: &Token) -> Response {
    let mut response = (status, JsonAnswer(body)).into_response();
    response.headers_mut().insert(header::ETAG, etag(version));
    with_token(response, token)
}

fn with_token(mut response: Response, token: &Token) -> Response {
    // A token is printable; were it not, the answer is still right, only less helpful.
    if let Ok(value) = HeaderValue::try_from(token.to_string()) {
        response.headers_mut().insert(CONSISTENCY_TOKEN, value);
    }
    response
}
