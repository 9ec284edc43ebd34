//! Predictions and scenarios over HTTP.

use axum::extract::State;
use http::StatusCode;
use pando_http::{JsonAnswer, JsonDocument};
use pando_service::http::WriteFields;
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AssessmentPath;
use crate::domain::business::ModelChoice;
use crate::{AdvancedPrediction, Prediction, Risk, ScenarioAnalysis};

/// The prediction that is asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; predict reads it")]
struct PredictionRequest {
    #[schema(required = false, minimum = 1, maximum = 24, default = 3)]
    horizon_months: u8,
    /// `base`, `optimistic`, `pessimistic`, `crisis` or `recovery`, or objects with a `name` and `changes` of features.
    #[schema(required = false, max_items = 10, value_type = Vec<Object>)]
    scenarios: (),
    /// That of the assessment, unless it is named.
    #[schema(required = false)]
    model_type: ModelChoice,
    #[schema(required = false, default = true)]
    include_temporal_analysis: bool,
}

/// The simulation that is asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; analyze_scenarios reads it")]
struct ScenarioRequest {
    /// Its last assessment counts.
    #[schema(required = false)]
    business_id: String,
    /// Instead of the business.
    #[schema(required = false)]
    assessment_id: String,
    /// As for predictions, each with a `probability` and a `description` if you like.
    #[schema(required = false, max_items = 10, value_type = Vec<Object>)]
    scenarios: (),
    #[schema(required = false, minimum = 1, maximum = 10_000, default = 10_000)]
    monte_carlo_runs: u32,
    /// In months.
    #[schema(required = false, minimum = 1, maximum = 24, default = 12)]
    time_horizon: u8,
    /// Give the seed of an earlier answer to get the same results.
    #[schema(required = false, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    seed: u64,
    #[schema(required = false)]
    model_type: ModelChoice,
}

/// A business, and what to predict for it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; predict_advanced reads it")]
struct AdvancedPredictionRequest {
    #[schema(min_length = 1, max_length = 255)]
    business_name: String,
    #[schema(min_length = 10, max_length = 500)]
    business_address: String,
    #[schema(min_length = 1, max_length = 100)]
    industry: String,
    /// ISO 3166, two letters. The other fields of a business may be there as well.
    #[schema(min_length = 2, max_length = 2)]
    country: String,
    /// Months from 1 to 24.
    #[schema(min_items = 1, max_items = 5)]
    prediction_horizons: Vec<u8>,
    #[schema(required = false)]
    model_preference: ModelChoice,
    #[schema(required = false)]
    include_temporal_analysis: bool,
    #[schema(required = false)]
    include_scenario_analysis: bool,
    #[schema(required = false)]
    include_model_comparison: bool,
    /// Parts predictions of low confidence from those of high confidence.
    #[schema(required = false, minimum = 0, maximum = 1, default = 0.6)]
    confidence_threshold: f64,
    /// Scenarios besides the usual three.
    #[schema(required = false, max_items = 10, value_type = Vec<Object>)]
    custom_scenarios: (),
}

/// The routes below assessments.
pub(crate) fn of_assessments() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(predict))
}

pub(crate) fn advanced() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(create_advanced))
}

pub(crate) fn scenarios() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(analyze))
}

/// Predict the score of an assessed business for another horizon, and in scenarios
#[utoipa::path(post, path = "/api/v1/assess/{id}/predict", tag = "assessments", request_body = PredictionRequest,
    params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The prediction", body = Prediction), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none")))]
async fn predict(
    State(risk): State<Risk>,
    At(id): At<AssessmentPath>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.predict(&call, id, &fields).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}

/// Predict the score of a business for several horizons, and compare the models
#[utoipa::path(post, path = "/api/v1/risk/predict-advanced", tag = "predictions", request_body = AdvancedPredictionRequest,
    responses((status = 200, description = "The predictions", body = AdvancedPrediction),
        (status = 400, description = "Every bad field")))]
async fn create_advanced(
    State(risk): State<Risk>,
    Caller(call): Caller,
    body: JsonDocument,
) -> Result<JsonAnswer<AdvancedPrediction>, Problem> {
    Ok(JsonAnswer(risk.predict_advanced(&call, &body.into_object()?).await?))
}

/// Simulate the score of an assessed business, and score stress cases
#[utoipa::path(post, path = "/api/v1/scenarios/analyze", tag = "scenarios", request_body = ScenarioRequest,
    responses((status = 200, description = "The results; the same seed gives the same ones", body = ScenarioAnalysis),
        (status = 400, description = "Every bad field"), (status = 404, description = "There is no assessment")))]
async fn analyze(
    State(risk): State<Risk>,
    Caller(call): Caller,
    body: JsonDocument,
) -> Result<JsonAnswer<ScenarioAnalysis>, Problem> {
    Ok(JsonAnswer(risk.analyze_scenarios(&call, &body.into_object()?).await?))
}
