//! Screening over HTTP.

use axum::extract::State;
use http::StatusCode;
use pando_http::{JsonAnswer, JsonDocument};
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{FalsePositive, FalsePositives, Risk, Screening};

/// A name to be screened.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; screen_name reads it")]
struct ScreeningRequest {
    #[schema(min_length = 1, max_length = 255)]
    business_name: String,
    #[schema(required = false, max_length = 500)]
    business_address: String,
    /// ISO 3166, two letters: entries of other countries match less.
    #[schema(required = false)]
    country: String,
    /// How many matches are shown.
    #[schema(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: u32,
    /// A match with a lower score is none.
    #[schema(required = false, minimum = 0, maximum = 1)]
    threshold: f64,
    /// How much each feature counts.
    #[schema(required = false, value_type = Object)]
    weights: (),
}

/// A match that is false.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; remember_false_positive reads it")]
struct FalsePositiveFields {
    /// The business, as the screening with its address and country has it.
    #[schema(pattern = "^biz_[0-9a-f]{32}$")]
    business_id: String,
    /// The `source` of the match.
    #[schema(min_length = 1, max_length = 2000)]
    source: String,
    /// The `entry_id` of the match.
    #[schema(min_length = 1, max_length = 2000)]
    entry_id: String,
    /// The `entry_version` of the match.
    #[schema(min_length = 1, max_length = 2000)]
    entry_version: String,
    /// Why the match is false.
    #[schema(min_length = 1, max_length = 2000)]
    reason: String,
}

pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(screen)).routes(routes!(list_false_positives, create_false_positive))
}

/// Screen a name against the lists
#[utoipa::path(post, path = "/api/v1/sanctions/screen", tag = "sanctions", request_body = ScreeningRequest,
    responses((status = 200, description = "What matches", body = Screening),
        (status = 400, description = "Every bad field"), (status = 503, description = "No list is loaded")))]
async fn screen(
    State(risk): State<Risk>,
    Caller(call): Caller,
    body: JsonDocument,
) -> Result<JsonAnswer<Screening>, Problem> {
    Ok(JsonAnswer(risk.screen_name(&call, &body.into_object()?).await?))
}

/// Remember that a match is false; it counts again when the entry changes
#[utoipa::path(post, path = "/api/v1/sanctions/false-positives", tag = "sanctions", security(("token" = ["lists:write"])),
    request_body = FalsePositiveFields, params(KeyParameter),
    responses((status = 201, description = "It is remembered", body = FalsePositive), KeyRefused,
        (status = 400, description = "Every bad field"),
        (status = 409, description = "No list has this entry with this version, or too many are remembered")))]
async fn create_false_positive(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.remember_false_positive(&call, &fields).await?;
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &done.value))
}

/// List the matches that are remembered as false
#[utoipa::path(get, path = "/api/v1/sanctions/false-positives", tag = "sanctions",
    responses((status = 200, description = "All of them, by business", body = FalsePositives)))]
async fn list_false_positives(
    State(risk): State<Risk>,
    Caller(call): Caller,
) -> Result<JsonAnswer<FalsePositives>, Problem> {
    Ok(JsonAnswer(risk.list_false_positives(&call).await?))
}
