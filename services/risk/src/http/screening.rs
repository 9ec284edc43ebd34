//! Screening over HTTP.

use axum::extract::State;
use pando_http::{JsonAnswer, JsonDocument};
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{Risk, Screening};

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

pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(screen))
}

/// Screen a name against the lists
#[utoipa::path(post, path = "/api/v1/sanctions/screen", tag = "sanctions", request_body = ScreeningRequest,
    responses((status = 200, description = "What matches", body = Screening),
        (status = 400, description = "Every bad field"), (status = 503, description = "No list is loaded")))]
async fn screen(
    State(risk): State<Risk>,
    _caller: Caller,
    body: JsonDocument,
) -> Result<JsonAnswer<Screening>, Problem> {
    let fields = body.into_object()?;
    Ok(JsonAnswer(risk.searching(move |risk| risk.screen_name(&fields)).await?))
}
