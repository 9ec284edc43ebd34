//! Single deliveries over HTTP: the id of a delivery names its endpoint as well.

use axum::extract::State;
use http::StatusCode;
use pando_http::JsonAnswer;
use pando_service::http::WriteCall;
use pando_service::prelude::*;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::id;
use crate::{Delivery, DeliveryStatus, Webhooks};

/// The delivery in the path. If the text is not an id, nothing has it: 404.
struct DeliveryPath;

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list_deliveries reads it")]
pub(super) struct ListParameters {
    /// Only deliveries in this status: `dead` lists the dead letters
    #[param(required = false, inline)]
    status: DeliveryStatus,
    /// How many deliveries
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: i64,
    /// The `next` of the page before
    #[param(required = false)]
    cursor: String,
}

impl InPath for DeliveryPath {
    type Id = (Uuid, Uuid);

    fn parse(text: &str) -> Option<(Uuid, Uuid)> {
        id::parse_delivery(text)
    }

    fn refused() -> Problem {
        Fault::not_found("delivery").into()
    }
}

pub(crate) fn routes() -> OpenApiRouter<Webhooks> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(retry))
}

/// Read a delivery
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", tag = "deliveries", params(("id" = String, Path)),
    responses((status = 200, description = "The delivery", body = Delivery), (status = 404, description = "There is none")))]
async fn read(
    State(webhooks): State<Webhooks>,
    Caller(call): Caller,
    At((webhook, event)): At<DeliveryPath>,
) -> Result<JsonAnswer<Delivery>, Problem> {
    Ok(JsonAnswer(webhooks.get_delivery(&call, webhook, event).await?))
}

/// Send a delivery anew
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/retry", tag = "deliveries", params(("id" = String, Path), KeyParameter),
    responses((status = 202, description = "The delivery", body = Delivery), KeyRefused,
        (status = 404, description = "There is none")))]
async fn retry(
    State(webhooks): State<Webhooks>,
    At((webhook, event)): At<DeliveryPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = webhooks.retry_delivery(&call, webhook, event).await?;
    Ok(WriteAnswer::json(StatusCode::ACCEPTED, &done, &done.value))
}
