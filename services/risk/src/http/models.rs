//! Models over HTTP.

use axum::extract::{Path, State};
use pando_http::JsonAnswer;
use pando_service::prelude::*;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::model::ModelInfo;
use crate::{ModelsPerformance, Risk};

pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(list_info)).routes(routes!(list_performance)).routes(routes!(info))
}

/// Show the models in use, with the sample on which each was measured
#[utoipa::path(get, path = "/api/v1/models/info", tag = "models",
    responses((status = 200, description = "The card of each model, by its type", body = Object)))]
async fn list_info(State(risk): State<Risk>, _caller: Caller) -> Result<JsonAnswer<Value>, Problem> {
    Ok(JsonAnswer(risk.list_models()?))
}

/// Show how the models do in this process: latencies in nanoseconds, counts and errors since it began
#[utoipa::path(get, path = "/api/v1/models/performance", tag = "models",
    responses((status = 200, description = "What was measured", body = ModelsPerformance)))]
async fn list_performance(
    State(risk): State<Risk>,
    _caller: Caller,
) -> Result<JsonAnswer<ModelsPerformance>, Problem> {
    Ok(JsonAnswer(risk.model_performance()?))
}

/// Show the model in use of a type
#[utoipa::path(get, path = "/api/v1/models/{type}/info", tag = "models",
    params(("type" = String, Path, description = "gradient_boosting (xgboost), sequence (lstm) or ensemble")),
    responses((status = 200, description = "Its card", body = Object), (status = 404, description = "There is none")))]
async fn info(
    State(risk): State<Risk>,
    _caller: Caller,
    Path(name): Path<String>,
) -> Result<JsonAnswer<ModelInfo>, Problem> {
    Ok(JsonAnswer(risk.get_model(&name)?))
}
