//! The routes: each parses its input, calls one operation, and answers.

mod bulk;
pub(crate) mod keyed;
mod parts;
mod person;
mod profiles;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use pando_cache::{LoadError, Source};
use pando_database::{DatabaseError, Token};
use pando_http::{
    CONSISTENCY_TOKEN, Code, Encoding, HeaderUse, HotAnswer, HotRead, HotRequest, JsonAnswer, Precondition,
    Problem, RouteLimits, describe_headers, etag,
};
use pando_objects::ObjectsError;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, IntoResponses};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::memory::LoadFailure;
use crate::profile::unknown_fields;
use crate::{Expected, ProfileError, ProfileId, Profiles};

/// Largest batch, in bytes: a thousand profiles with long biographies.
const BATCH_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a batch may take.
const BATCH_MS_MAX: u64 = 30_000;
/// Largest import, in bytes.
const IMPORT_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Longest pause in the upload of an import; as long as it keeps flowing, it may take as long as it takes.
const IMPORT_IDLE_MS_MAX: u64 = 30_000;

/// The unknown fields of a request that were ignored, so that a client notices a misspelt field.
const PANDO_IGNORED: HeaderName = HeaderName::from_static("pando-ignored");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// What `X-Cache` says of the ages that are asked for most, so that nothing is written for them.
const L1_AGES: [&str; 32] = [
    "l1; age=0",
    "l1; age=1",
    "l1; age=2",
    "l1; age=3",
    "l1; age=4",
    "l1; age=5",
    "l1; age=6",
    "l1; age=7",
    "l1; age=8",
    "l1; age=9",
    "l1; age=10",
    "l1; age=11",
    "l1; age=12",
    "l1; age=13",
    "l1; age=14",
    "l1; age=15",
    "l1; age=16",
    "l1; age=17",
    "l1; age=18",
    "l1; age=19",
    "l1; age=20",
    "l1; age=21",
    "l1; age=22",
    "l1; age=23",
    "l1; age=24",
    "l1; age=25",
    "l1; age=26",
    "l1; age=27",
    "l1; age=28",
    "l1; age=29",
    "l1; age=30",
    "l1; age=31",
];

/// Every route of the service, with its description.
pub fn routes(profiles: Profiles) -> OpenApiRouter {
    described_routes().with_state(profiles)
}

/// The description alone, for those who only want to read it: no service and no database is behind it.
pub fn description() -> OpenApi {
    described_routes().into_openapi()
}

/// Describes the headers of the operations.
const HEADERS: HeaderUse = HeaderUse {
    consistent: &[
        "/api/v1/profiles",
        "/api/v1/profiles/{id}",
        "/api/v1/profiles/{id}/full",
        "/getUserProfile",
    ],
    tagged: &["/api/v1/profiles/{id}", "/api/v1/profiles/{id}/full"],
    cached: &["/api/v1/profiles", "/api/v1/profiles/{id}", "/api/v1/profiles/{id}/full"],
    writes: &[
        ("post", "/api/v1/profiles"),
        ("post", "/api/v1/profiles/random"),
        ("post", "/api/v1/profiles:batch"),
        ("put", "/api/v1/profiles/{id}"),
        ("patch", "/api/v1/profiles/{id}"),
        ("delete", "/api/v1/profiles/{id}"),
        ("post", "/api/v1/profiles/{id}/restore"),
        ("post", "/api/v1/profiles/{id}/erase"),
        ("post", "/api/v1/profiles/{id}/data-export"),
        ("put", "/api/v1/profiles/{id}/address"),
        ("put", "/api/v1/profiles/{id}/preferences"),
    ],
};

fn described_routes() -> OpenApiRouter<Profiles> {
    let mut router = OpenApiRouter::new()
        .routes(routes!(profiles::list, profiles::create))
        .routes(routes!(profiles::create_random))
        .routes(routes!(profiles::read, profiles::update, profiles::patch, profiles::delete))
        .routes(routes!(profiles::restore))
        .routes(routes!(profiles::history))
        .routes(routes!(person::erase))
        .routes(routes!(person::data_export, person::request_data_export))
        .routes(routes!(person::fetch_export))
        .routes(routes!(parts::full))
        .routes(routes!(parts::put_address))
        .routes(routes!(parts::put_preferences))
        .routes(routes!(parts::get_user_profile))
        .routes(routes!(bulk::batch))
        .routes(routes!(bulk::import, bulk::import_progress))
        .routes(routes!(bulk::export));
    describe_headers(router.get_openapi_mut(), &HEADERS);
    router
}

/// Reads of one profile, answered before the router when this process holds it.
pub fn hot_read(profiles: &Profiles) -> HotRead {
    let profiles = profiles.clone();
    let find = move |asked: &HotRequest<'_>| {
        let found = profiles.recall(asked.name, asked.consistency)?;
        let (version, cache) = (found.version(), x_cache(found.source(), found.age()));
        let wanted = asked.encoding_for(found.length());
        let (body, encoding) = match found.packed(wanted) {
            Some(packed) => (packed, wanted),
            None => (found.answer(), Encoding::Identity),
        };
        Some(HotAnswer { body, encoding, version, tag: etag(version), cache })
    };
    HotRead { path: "/api/v1/profiles/{id}", find: Arc::new(find) }
}

/// Where an answer was read, and how old that is.
fn x_cache(source: Source, age: Duration) -> HeaderValue {
    let seconds = age.as_secs();
    if source == Source::Origin && seconds == 0 {
        return HeaderValue::from_static("origin; age=0");
    }
    match usize::try_from(seconds).ok().and_then(|seconds| L1_AGES.get(seconds)) {
        Some(text) if source == Source::L1 => HeaderValue::from_static(text),
        _ => HeaderValue::try_from(format!("{}; age={seconds}", source.name())).expect("letters and digits"),
    }
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
            ProfileError::ExportNotFound => Self::not_found("export"),
            ProfileError::UploadNotFound => Self::not_found("upload"),
            ProfileError::FileRemoved => Self::new(Code::Unavailable, error.to_string()).with_retry_after(1),
            ProfileError::UploadsFull => Self::new(Code::StorageFull, error.to_string()),
            ProfileError::ObjectMissing(_) => Self::internal(error),
            ProfileError::Busy(why) => Self::new(Code::Unavailable, why).with_retry_after(1),
            ProfileError::Contended => Self::new(Code::Unavailable, error.to_string()).with_retry_after(1),
            ProfileError::EmailTaken => {
                let detail = "another profile has this e-mail address";
                Self::new(Code::Conflict, detail).with_field("email", "taken", "is taken by another profile")
            }
            ProfileError::Invalid(violations) => violations.into_problem(),
            ProfileError::VersionMismatch { current } => Self::new(
                Code::VersionMismatch,
                format!("the profile has version {current} now: read it again"),
            )
            .with_field("version", "current", current.to_string())
            .with_header(header::ETAG, etag(current)),
            ProfileError::Refused(problem) => problem,
            ProfileError::ImportBrokenOff { problem, token, records_done } => {
                let told =
                    format!("{token}: {records_done} records are done; send the file again to continue");
                let place = HeaderValue::try_from(place_of_import(&token)).expect("a token is ASCII letters");
                problem.with_field("token", "broken_off", told).with_header(header::LOCATION, place)
            }
            ProfileError::Repeated => Self::new(Code::Conflict, error.to_string()).with_retry_after(1),
            ProfileError::ImportBusy => Self::new(Code::Conflict, error.to_string()).with_retry_after(5),
            ProfileError::BadToken => Self::malformed(error.to_string()),
            ProfileError::Database(error) => database_problem(error),
            ProfileError::Cached(failure) => cached_problem(failure),
            ProfileError::Queue(error) if error.is_transient() => Self::unavailable(error),
            ProfileError::Queue(error) => Self::internal(error),
            ProfileError::Objects(ObjectsError::Full) => {
                Self::new(Code::StorageFull, "the object store has no room left")
            }
            ProfileError::Objects(error) if error.is_transient() => Self::unavailable(error),
            ProfileError::Objects(error) => Self::internal(error),
            ProfileError::Unwritable(reason) => Self::internal(reason),
        }
    }
}

/// Where an import can be followed.
fn place_of_import(token: &str) -> String {
    format!("/api/v1/profiles:import?token={token}")
}

/// The error for a caller of a load that several callers waited for.
fn cached_problem(failure: Arc<LoadFailure>) -> Problem {
    match &*failure {
        LoadError::Load(error) => match &**error {
            ProfileError::Database(error) => told(error).with_source(failure),
            _ => Problem::internal(failure),
        },
        LoadError::DeadlineExceeded | LoadError::LoadTimeout | LoadError::WaitTimeout => {
            Problem::new(Code::Timeout, "the database did not answer in time").with_source(failure)
        }
        LoadError::Protected | LoadError::L2Down => Problem::unavailable(failure),
        LoadError::Panicked => Problem::internal(failure),
    }
}

fn database_problem(error: DatabaseError) -> Problem {
    told(&error).with_source(error)
}

/// The error for a caller after a failure of the database: whether and when to try again.
fn told(error: &DatabaseError) -> Problem {
    match error {
        DatabaseError::Unavailable { .. }
        | DatabaseError::PoolTimeout { .. }
        | DatabaseError::Contention { .. } => Problem::unavailable(error.to_string()),
        DatabaseError::CommitUnknown { .. } => {
            let detail = "the connection broke during the commit: the change may or may not have happened";
            Problem::new(Code::Unavailable, detail)
        }
        DatabaseError::DeadlineExceeded => Problem::new(Code::Timeout, "the database did not answer in time"),
        DatabaseError::StorageFull => Problem::new(Code::StorageFull, "the database has no room left"),
        _ => Problem::internal(error.to_string()),
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
pub(crate) struct IfMatchParameter {
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

/// The `{id}` of a path. If it is not an id, there is no such profile: 404.
pub(crate) struct Id(pub(crate) ProfileId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| ProfileId::parse(&text));
        id.map(Self).ok_or_else(|| Problem::not_found("profile"))
    }
}

/// Reads `If-Match`; where the options insist on it, its absence is 428.
pub(crate) fn expected(profiles: &Profiles, headers: &HeaderMap) -> Result<Expected, Problem> {
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

/// The names of unknown fields for a header: the first twenty, without names of more than 64 bytes. Characters that a header
/// cannot hold are percent-encoded.
fn ignored_fields<'a>(bodies: impl Iterator<Item = &'a Map<String, Value>>) -> Option<HeaderValue> {
    let mut names: Vec<&str> = Vec::new();
    for name in bodies.flat_map(unknown_fields).filter(|name| (1..=64).contains(&name.len())) {
        if names.len() == 20 {
            break;
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        text.push_str(if index > 0 { ", " } else { "" });
        for byte in name.bytes() {
            match byte {
                b',' | b'%' => text.push_str(&format!("%{byte:02X}")),
                _ if byte.is_ascii_graphic() => text.push(char::from(byte)),
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    HeaderValue::try_from(text).ok().filter(|value| !value.is_empty())
}

/// Names the fields of a request that were ignored.
fn with_ignored(mut response: Response, ignored: Option<HeaderValue>) -> Response {
    response.headers_mut().extend(ignored.map(|names| (PANDO_IGNORED, names)));
    response
}

/// JSON that is written already.
fn json(bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

pub(crate) fn with_token(mut response: Response, token: &Token) -> Response {
    // A token is printable; were it not, the answer is still right, only less helpful.
    if let Ok(value) = HeaderValue::try_from(token.to_string()) {
        response.headers_mut().insert(CONSISTENCY_TOKEN, value);
    }
    response
}
