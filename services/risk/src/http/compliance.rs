//! Checks of compliance over HTTP.

use axum::extract::State;
use http::StatusCode;
use pando_service::http::WriteFields;
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{CheckType, ComplianceCheck, Risk};

/// A business with all that an assessment takes, or an entity with a name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; check_compliance reads it")]
struct ComplianceRequest {
    /// Needed without `entity_name`, like the next three.
    #[schema(required = false, min_length = 1, max_length = 255)]
    business_name: String,
    #[schema(required = false, min_length = 10, max_length = 500)]
    business_address: String,
    #[schema(required = false, min_length = 1, max_length = 100)]
    industry: String,
    /// ISO 3166, two letters.
    #[schema(required = false)]
    country: String,
    #[schema(required = false, min_length = 1, max_length = 255)]
    entity_name: String,
    /// `individual`, `organization`, `vessel` or `aircraft`.
    #[schema(required = false)]
    entity_type: String,
    /// All of them, unless they are named.
    #[schema(required = false, min_items = 1, max_items = 3)]
    compliance_types: Vec<CheckType>,
}

pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(check))
}

/// Check a business, or an entity with a name
#[utoipa::path(post, path = "/api/v1/compliance/check", tag = "compliance", request_body = ComplianceRequest,
    params(KeyParameter),
    responses((status = 200, description = "The checks", body = ComplianceCheck), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 503, description = "No list is loaded")))]
async fn check(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.check_compliance(&call, &fields).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}
