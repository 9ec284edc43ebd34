//! Monitoring over HTTP.

use axum::extract::State;
use http::StatusCode;
use pando_http::{JsonAnswer, QueryString};
use pando_service::http::{WriteCall, WriteFields};
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::ids;
use crate::domain::monitored::not_monitored;
use crate::{Monitored, MonitoredPage, Risk};

/// The business in the path. If the text is not an id, nothing has it: 404.
struct BusinessPath;

/// A business to monitor.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; monitor_business reads it")]
struct MonitoringFields {
    #[schema(min_length = 1, max_length = 255)]
    business_name: String,
    #[schema(min_length = 1, max_length = 500)]
    business_address: String,
    /// ISO 3166, two letters.
    #[schema(min_length = 2, max_length = 2)]
    country: String,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list_monitoring reads it")]
struct ListParameters {
    /// How many businesses
    #[param(required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: i64,
    /// The `next` of the page before
    #[param(required = false)]
    after: String,
}

impl InPath for BusinessPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        ids::BUSINESS.parse(text)
    }

    fn refused() -> Problem {
        not_monitored().into()
    }
}

/// The routes of monitoring.
pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new()
        .routes(routes!(list_monitoring, create_monitoring))
        .routes(routes!(delete_monitoring))
}

/// List the businesses under monitoring, by their ids
#[utoipa::path(get, path = "/api/v1/monitoring", tag = "monitoring", params(ListParameters),
    responses((status = 200, description = "A page", body = MonitoredPage), (status = 400, description = "Bad parameters")))]
async fn list_monitoring(
    State(risk): State<Risk>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<MonitoredPage>, Problem> {
    let limit = query.integer("limit", 1..=1_000).and_then(|limit| usize::try_from(limit).ok());
    let given = query.text("after").filter(|after| !after.is_empty());
    let after = given.as_deref().map(|after| ids::BUSINESS.parse(after));
    if after == Some(None) {
        query.error("after", "value", "is not the id of a business");
    }
    query.finish()?;
    let after = after.flatten().unwrap_or_default();
    Ok(JsonAnswer(risk.list_monitored(&call, (after, limit.unwrap_or(100))).await?))
}

/// Put a business under monitoring
#[utoipa::path(post, path = "/api/v1/monitoring", tag = "monitoring", request_body = MonitoringFields, params(KeyParameter),
    responses((status = 201, description = "It is under monitoring", body = Monitored), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 409, description = "There are too many")))]
async fn create_monitoring(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.monitor_business(&call, &fields).await?;
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &done.value))
}

/// End the monitoring of a business
#[utoipa::path(delete, path = "/api/v1/monitoring/{business}", tag = "monitoring", security(("token" = ["risk:write"])),
    params(("business" = String, Path), KeyParameter),
    responses((status = 204, description = "It has ended"), KeyRefused,
        (status = 404, description = "The business is not under monitoring")))]
async fn delete_monitoring(
    State(risk): State<Risk>,
    At(business): At<BusinessPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = risk.stop_monitoring(&call, business).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}
