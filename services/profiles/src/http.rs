//! The routes: each parses its input, calls one operation, and answers.

mod bulk;
mod operators;
mod parts;
mod person;
mod profiles;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use pando_http::{HeaderUse, HotRead, Problem, RouteLimits, describe_headers};
use pando_service::Expected;
use pando_service::http::ignored_fields;
use serde_json::{Map, Value};
use utoipa::{IntoParams, IntoResponses};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::profile::unknown_fields;
use crate::{ProfileId, Profiles};

/// Largest batch, in bytes: a thousand profiles with long biographies.
const BATCH_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a batch may take.
const BATCH_MS_MAX: u64 = 30_000;
/// Largest import, in bytes.
const IMPORT_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Longest pause in the upload of an import; as long as it keeps flowing, it may take as long as it takes.
const IMPORT_IDLE_MS_MAX: u64 = 30_000;

/// Every route of the service, with its description.
pub(crate) fn routes(profiles: Profiles) -> OpenApiRouter {
    described_routes().with_state(profiles)
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

/// The routes without a service behind them.
pub(crate) fn described_routes() -> OpenApiRouter<Profiles> {
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

/// The routes for operators.
pub(crate) fn operator_routes(profiles: Profiles) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(operators::warm)).with_state(profiles)
}

/// Reads of one profile, answered before the router when this process holds it.
pub(crate) fn hot_read(profiles: &Profiles) -> HotRead {
    let profiles = profiles.clone();
    pando_service::http::hot_read("/api/v1/profiles/{id}", move |(tenant, id), token| {
        profiles.recall(tenant, id, token)
    })
}

/// The routes whose bodies may be larger, or take longer, than others.
pub(crate) fn limits() -> Vec<RouteLimits> {
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
#[expect(dead_code, reason = "it describes the answers; Fault makes them")]
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
    pando_service::http::expected(headers, profiles.0.options.require_if_match)
}

/// The unknown fields of these bodies, for the answer.
fn ignored<'a>(bodies: impl Iterator<Item = &'a Map<String, Value>>) -> Option<HeaderValue> {
    ignored_fields(bodies.flat_map(unknown_fields))
}
