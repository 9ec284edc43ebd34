//! Changes of orders over HTTP: cancelled by the buyer, moved on by the shop.

use axum::extract::State;
use http::StatusCode;
use pando_service::prelude::*;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::OrderPath;
use crate::Commerce;
use crate::http::shape::One;
use crate::orders::domain::order::Order;
use crate::orders::move_order::Moved;
use crate::payments::domain::refund::read_reason;

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; read_reason reads it")]
struct CancelFields {
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; Moved reads it")]
struct MoveFields {
    /// `PROCESSING`, `SHIPPED` or `DELIVERED`.
    status: String,
    /// Where the parcel is.
    #[schema(required = false, max_length = 100)]
    tracking_number: String,
    #[schema(required = false, max_length = 200)]
    reason: String,
}

pub(super) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new().routes(routes!(cancel_order, put_cancel_order)).routes(routes!(move_order))
}

/// Cancel an order
///
/// Its units can be sold again. If it was paid, the money goes back, and the order is `REFUNDED` once it is there.
#[utoipa::path(post, path = "/api/orders/{id}/cancel", tag = "orders", request_body = CancelFields,
    params(("id" = Uuid, Path), KeyParameter), security(("token" = ["order:write"])),
    responses((status = 200, description = "The order", body = One<Order>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none, or it is of another user"),
        (status = 409, description = "It is packed, or its payment is on its way")))]
async fn cancel_order(
    State(commerce): State<Commerce>,
    At(id): At<OrderPath>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    cancelled(&commerce, &call, id, &fields).await
}

/// Cancel an order, by the other published method
#[utoipa::path(put, path = "/api/orders/{id}/cancel", tag = "orders", request_body = CancelFields,
    params(("id" = Uuid, Path), KeyParameter), security(("token" = ["order:write"])),
    responses((status = 200, description = "The order", body = One<Order>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none, or it is of another user"),
        (status = 409, description = "It is packed, or its payment is on its way")))]
async fn put_cancel_order(
    State(commerce): State<Commerce>,
    At(id): At<OrderPath>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    cancelled(&commerce, &call, id, &fields).await
}

async fn cancelled(
    commerce: &Commerce,
    call: &Call,
    id: Uuid,
    fields: &Map<String, Value>,
) -> Result<WriteAnswer, Problem> {
    let mut reader = FieldReader::new(fields);
    let reason = read_reason(&mut reader, fields);
    reader.finish().map_err(Fault::from)?;
    let done = commerce.cancel_order(call, id, &reason).await?;
    let answer = One { data: &done.value, message: "the order is cancelled" };
    Ok(WriteAnswer::json(StatusCode::OK, &done, &answer))
}

/// Say that an order is packed, has left, or has arrived
#[utoipa::path(put, path = "/api/orders/{id}/status", tag = "orders", request_body = MoveFields,
    params(("id" = Uuid, Path), KeyParameter), security(("token" = ["admin:all"])),
    responses((status = 200, description = "The order", body = One<Order>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 409, description = "It cannot become so from the state that it is in")))]
async fn move_order(
    State(commerce): State<Commerce>,
    At(id): At<OrderPath>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let moved = Moved::read(&fields).map_err(Fault::from)?;
    let done = commerce.move_order(&call, id, &moved).await?;
    let answer = One { data: &done.value, message: "the order was moved on" };
    Ok(WriteAnswer::json(StatusCode::OK, &done, &answer))
}
