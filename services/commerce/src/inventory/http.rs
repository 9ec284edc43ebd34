//! The inventory over HTTP, for the programs of a shop: buyers never call it.

mod stock;

use axum::extract::State;
use http::StatusCode;
use pando_service::Violations;
use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::domain::reservation::{Line, NamedReservation, Reservation, ReservationStatus};
use super::reserve_units::Wanted;
use crate::Commerce;

/// The most lines of an order.
pub(crate) const LINES_MAX: usize = 50;
const QUANTITY_MAX: i64 = 1_000;

/// The units that are wanted.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; read_wanted reads it")]
struct ReserveRequest {
    order_id: Uuid,
    #[schema(min_items = 1, max_items = 50, inline)]
    items: Vec<ReserveItem>,
    /// For how many seconds.
    #[schema(required = false, minimum = 10, maximum = 86_400)]
    seconds: u32,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; read_wanted reads it")]
struct ReserveItem {
    product_id: Uuid,
    #[schema(minimum = 1, maximum = 1_000)]
    quantity: i64,
}

/// The order whose reservation is meant.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; order_of reads it")]
struct OrderOfReservation {
    order_id: Uuid,
}

/// A reservation, in both published forms.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReservationShown {
    reservation_id: Uuid,
    order_id: Uuid,
    status: ReservationStatus,
    #[schema(inline)]
    items: Vec<ItemShown>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    success: bool,
    message: &'static str,
    /// Whether the stock could not be asked, so that the units are not reserved yet.
    fallback_used: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ItemShown {
    product_id: Uuid,
    product_name: String,
    quantity: i64,
    /// Whether the units are there.
    available: bool,
}

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(reserve_units))
        .routes(routes!(release_units))
        .routes(routes!(confirm_units))
        .merge(stock::routes())
}

/// Reserve units for an order
#[utoipa::path(post, path = "/api/inventory/reserve", tag = "inventory", request_body = ReserveRequest, params(KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 201, description = "The reservation", body = ReservationShown), (status = 400, description = "Every bad field"),
        (status = 404, description = "There is no such product"), KeyRefused))]
async fn reserve_units(
    State(commerce): State<Commerce>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let wanted = read_wanted(&call, &fields)?;
    let done = commerce.reserve_units(&call, &wanted).await?;
    let shown = shown(&done.value, "the units are reserved");
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &shown))
}

/// Let the units of an order be sold again
#[utoipa::path(post, path = "/api/inventory/release", tag = "inventory", request_body = OrderOfReservation, params(KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 200, description = "The reservation", body = ReservationShown), (status = 400, description = "Every bad field"),
        (status = 404, description = "There is none"), (status = 409, description = "The units have left"), KeyRefused))]
async fn release_units(
    State(commerce): State<Commerce>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let order = order_of(&fields)?;
    let done = commerce.end_reservation(&call, order, ReservationStatus::Released).await?;
    let shown = shown(&done.value, "the units can be sold again");
    Ok(WriteAnswer::json(StatusCode::OK, &done, &shown))
}

/// Say that the units of an order have left
#[utoipa::path(post, path = "/api/inventory/confirm", tag = "inventory", request_body = OrderOfReservation, params(KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 200, description = "The reservation", body = ReservationShown), (status = 400, description = "Every bad field"),
        (status = 404, description = "There is none"), (status = 409, description = "The units are not reserved any more"), KeyRefused))]
async fn confirm_units(
    State(commerce): State<Commerce>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let order = order_of(&fields)?;
    let done = commerce.end_reservation(&call, order, ReservationStatus::Confirmed).await?;
    let shown = shown(&done.value, "the units have left");
    Ok(WriteAnswer::json(StatusCode::OK, &done, &shown))
}

/// A reservation in both published forms.
fn shown(named: &NamedReservation, message: &'static str) -> ReservationShown {
    let NamedReservation { reservation, names } = named;
    let Reservation { id, order, status, lines, created_at, expires_at, .. } = reservation;
    let item = |line: &Line| ItemShown {
        product_id: line.product,
        product_name: names.get(&line.product).cloned().unwrap_or_default(),
        quantity: line.quantity,
        available: matches!(status, ReservationStatus::Reserved | ReservationStatus::Confirmed),
    };
    ReservationShown {
        reservation_id: *id,
        order_id: *order,
        status: *status,
        items: lines.iter().map(item).collect(),
        created_at: *created_at,
        expires_at: *expires_at,
        success: true,
        message,
        fallback_used: false,
    }
}

fn order_of(fields: &Map<String, Value>) -> Result<Uuid, Fault> {
    let mut reader = FieldReader::new(fields);
    let order = id_of(&mut reader, "orderId");
    reader.finish()?;
    order.ok_or_else(|| Violations::one("orderId", "required", "is required").into())
}

fn id_of(reader: &mut FieldReader<'_>, field: &str) -> Option<Uuid> {
    let text = reader.required_text(field)?;
    let id = Uuid::try_parse(text);
    reader.check(field, id.map_err(|_| pando_service::BadText::value("must be an id: a UUID")))
}

fn read_wanted(call: &Call, fields: &Map<String, Value>) -> Result<Wanted, Fault> {
    let mut reader = FieldReader::new(fields);
    let order = id_of(&mut reader, "orderId");
    let seconds = match fields.get("seconds") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let seconds = value.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
            let seconds = seconds.filter(|seconds| (10..=86_400).contains(seconds));
            if seconds.is_none() {
                reader.refuse("seconds", "value", "must be a whole number from 10 to 86400");
            }
            seconds
        }
    };
    let lines = read_lines(&mut reader, fields);
    reader.finish()?;
    let order = order.ok_or_else(|| Violations::one("orderId", "required", "is required"))?;
    Ok(Wanted { order, user: call.actor().to_owned(), lines, seconds })
}

/// The lines of an order.
fn read_lines(reader: &mut FieldReader<'_>, fields: &Map<String, Value>) -> Vec<Line> {
    let items = match fields.get("items").and_then(Value::as_array) {
        Some(items) if (1..=LINES_MAX).contains(&items.len()) => items,
        _ => {
            reader.refuse("items", "value", "must be an array of 1 to 50 items");
            return Vec::new();
        }
    };
    let mut lines = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let product = item.get("productId").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        let quantity =
            item.get("quantity").and_then(Value::as_i64).filter(|one| (1..=QUANTITY_MAX).contains(one));
        if product.is_none() {
            reader.refuse(&format!("items[{place}].productId"), "value", "must be an id: a UUID");
        }
        if quantity.is_none() {
            reader.refuse(
                &format!("items[{place}].quantity"),
                "value",
                "must be a whole number from 1 to 1000",
            );
        }
        if let (Some(product), Some(quantity)) = (product, quantity) {
            lines.push(Line { product, quantity });
        }
    }
    lines
}
