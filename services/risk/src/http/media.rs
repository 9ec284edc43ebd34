//! Monitoring of media over HTTP.

use axum::extract::State;
use http::StatusCode;
use pando_http::JsonAnswer;
use pando_service::http::{WriteCall, WriteFields};
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::Risk;
use crate::domain::ids;
use crate::domain::monitoring::MediaMonitoring;
use crate::get_monitoring::no_monitoring;

/// A name to be monitored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; monitor_media reads it")]
struct MonitoringRequest {
    #[schema(min_length = 1, max_length = 255)]
    business_name: String,
    #[schema(min_length = 10, max_length = 500)]
    business_address: String,
    /// ISO 3166, two letters: only for the id of the business.
    #[schema(required = false)]
    country: String,
    /// `news`, `social_media` and `regulatory`: all of them, unless they are named.
    #[schema(required = false, min_items = 1, max_items = 3)]
    monitoring_types: Vec<String>,
}

/// The monitoring in the path. If the text is not an id, nothing has it: 404.
struct MonitoringPath;

impl InPath for MonitoringPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        ids::MONITORING.parse(text)
    }

    fn refused() -> Problem {
        no_monitoring().into()
    }
}

pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new()
        .routes(routes!(create_media_monitoring))
        .routes(routes!(read_media_monitoring, delete_media_monitoring))
}

/// Monitor the articles about a business
#[utoipa::path(post, path = "/api/v1/media/monitor", tag = "media", request_body = MonitoringRequest,
    params(KeyParameter),
    responses((status = 200, description = "The monitoring with its first alerts", body = MediaMonitoring), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 503, description = "No articles are loaded")))]
async fn create_media_monitoring(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.monitor_media(&call, &fields).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}

/// Read a monitoring with its alerts
#[utoipa::path(get, path = "/api/v1/media/monitor/{id}", tag = "media", params(("id" = String, Path)),
    responses((status = 200, description = "The monitoring", body = MediaMonitoring),
        (status = 404, description = "There is none")))]
async fn read_media_monitoring(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<MonitoringPath>,
) -> Result<JsonAnswer<MediaMonitoring>, Problem> {
    Ok(JsonAnswer(risk.get_monitoring(&call, id).await?))
}

/// End a monitoring, and forget its alerts
#[utoipa::path(delete, path = "/api/v1/media/monitor/{id}", tag = "media",
    params(("id" = String, Path), KeyParameter),
    responses((status = 204, description = "It is deleted"), KeyRefused, (status = 404, description = "There is none")))]
async fn delete_media_monitoring(
    State(risk): State<Risk>,
    At(id): At<MonitoringPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = risk.delete_monitoring(&call, id).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}
