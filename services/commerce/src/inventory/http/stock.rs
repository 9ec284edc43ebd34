//! The stock of products over HTTP: numbers, movements and the reorder point.

use axum::extract::State;
use http::StatusCode;
use pando_http::{JsonAnswer, QueryString};
use pando_service::Violations;
use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::Commerce;
use crate::catalog::http::ProductPath;
use crate::http::paging::Paging;
use crate::http::shape::{Many, One, Pagination};
use crate::inventory::{Availability, MovementShown, StockLevel};

/// The most products that are asked for at once.
const PRODUCTS_MAX: usize = 100;

/// A movement that is to be made.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct MovementFields {
    product_id: Uuid,
    #[schema(pattern = "^(RESTOCK|RETURN|DAMAGE|ADJUSTMENT)$")]
    kind: String,
    /// Below 0 only for an adjustment, and never 0
    #[schema(minimum = -999_999, maximum = 999_999)]
    quantity: i64,
    #[schema(required = false, max_length = 200)]
    reason: String,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct ReorderFields {
    #[schema(minimum = 0, maximum = 1_000_000)]
    reorder_point: i64,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; products_of reads it")]
struct AvailabilityFields {
    #[schema(min_items = 1, max_items = 100)]
    product_ids: Vec<Uuid>,
}

/// Whether products can be bought.
#[derive(Serialize, ToSchema)]
struct AvailabilityShown {
    /// `AVAILABLE`: the stock was asked.
    status: &'static str,
    message: &'static str,
    /// In the order of the question.
    products: Vec<Availability>,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the query; Paging reads it")]
struct PageParameters {
    /// The number of the page, from 0; at most 10,000 movements are stepped over
    #[param(required = false, minimum = 0, default = 0)]
    page: u64,
    /// How many movements
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    size: u64,
    /// The `next` of the page before, instead of `page`
    #[param(required = false)]
    cursor: String,
}

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(move_units))
        .routes(routes!(check_availability))
        .routes(routes!(read_stock, change_stock))
        .routes(routes!(list_movements))
}

/// Note that units came in, came back, broke, or were counted
#[utoipa::path(post, path = "/api/inventory/movements", tag = "inventory", request_body = MovementFields, params(KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 201, description = "The stock afterwards", body = One<StockLevel>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is no such product")))]
async fn move_units(
    State(commerce): State<Commerce>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = commerce.move_stock(&call, &fields).await?;
    let answer = One { data: &done.value, message: "the movement was made" };
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &answer))
}

/// Ask whether products can be bought
#[utoipa::path(post, path = "/api/inventory/availability", tag = "inventory", request_body = AvailabilityFields,
    security((), ("token" = ["product:read"])),
    responses((status = 200, description = "Each of them", body = AvailabilityShown), (status = 400, description = "Every bad field")))]
async fn check_availability(
    State(commerce): State<Commerce>,
    WriteFields(call, fields): WriteFields,
) -> Result<JsonAnswer<AvailabilityShown>, Problem> {
    let products = commerce.check_availability(&call, &products_of(&fields)?).await?;
    Ok(JsonAnswer(AvailabilityShown { status: "AVAILABLE", message: "the stock of the products", products }))
}

/// Read the stock of a product
#[utoipa::path(get, path = "/api/inventory/{id}", tag = "inventory", params(("id" = Uuid, Path)),
    security(("token" = ["admin:all"])),
    responses((status = 200, description = "The stock", body = One<StockLevel>), (status = 400, description = "Not an id"),
        (status = 404, description = "There is no such product")))]
async fn read_stock(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    At(id): At<ProductPath>,
) -> Result<JsonAnswer<One<StockLevel>>, Problem> {
    let data = commerce.get_stock(&call, id).await?;
    Ok(JsonAnswer(One { data, message: "the stock" }))
}

/// Change the reorder point of a product
#[utoipa::path(put, path = "/api/inventory/{id}", tag = "inventory", request_body = ReorderFields,
    params(("id" = Uuid, Path), KeyParameter), security(("token" = ["admin:all"])),
    responses((status = 200, description = "The stock", body = One<StockLevel>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is no such product")))]
async fn change_stock(
    State(commerce): State<Commerce>,
    At(id): At<ProductPath>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = commerce.set_reorder_point(&call, id, &fields).await?;
    let answer = One { data: &done.value, message: "the reorder point was changed" };
    Ok(WriteAnswer::json(StatusCode::OK, &done, &answer))
}

/// Read the ledger of a product, the latest movement first
#[utoipa::path(get, path = "/api/inventory/{id}/movements", tag = "inventory", params(("id" = Uuid, Path), PageParameters),
    security(("token" = ["admin:all"])),
    responses((status = 200, description = "A page of movements", body = Many<MovementShown>),
        (status = 400, description = "Bad parameters"), (status = 404, description = "There is no such product")))]
async fn list_movements(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    At(id): At<ProductPath>,
    mut query: QueryString,
) -> Result<JsonAnswer<Many<MovementShown>>, Problem> {
    let paging = Paging::read(&mut query);
    query.finish()?;
    let after = paging.after()?;
    let found = commerce.list_movements(&call, id, (after.as_ref(), paging.offset, paging.size)).await?;
    let next = found.next.as_ref().map(encode_cursor).transpose().map_err(Fault::from)?;
    let pagination = Pagination::new((paging.page as u64, paging.size as u64), found.total, next);
    Ok(JsonAnswer(Many { data: found.movements, pagination, message: "the movements" }))
}

fn products_of(fields: &Map<String, Value>) -> Result<Vec<Uuid>, Fault> {
    let bad =
        || Fault::from(Violations::one("productIds", "value", "must be an array of 1 to 100 ids: UUIDs"));
    let ids = fields.get("productIds").and_then(Value::as_array).ok_or_else(bad)?;
    if !(1..=PRODUCTS_MAX).contains(&ids.len()) {
        return Err(bad());
    }
    let ids = ids.iter().map(|id| id.as_str().and_then(|id| Uuid::try_parse(id).ok()));
    ids.collect::<Option<Vec<Uuid>>>().ok_or_else(bad)
}
