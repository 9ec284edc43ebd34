//! Carts over HTTP: those of the caller, and those that a path names.

mod named;
mod visit;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use pando_http::{BrowserRequest, JsonAnswer};
use pando_service::http::WriteCall;
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::domain::contents::{Cart, CartItem};
use super::domain::wish::{Wish, read_change};
use crate::Commerce;
use crate::http::shape::One;
use visit::Visit;

/// The line in the path. A text that is no id is a bad one.
struct ItemPath;

/// A product for a cart.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct ItemFields {
    product_id: Uuid,
    /// A whole number; also as a text.
    #[schema(minimum = 1, maximum = 1_000)]
    quantity: i64,
    /// Words of the buyer.
    #[schema(required = false, max_length = 200)]
    notes: String,
}

/// A change of a line.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct ItemChange {
    /// A whole number; also as a text. 0 takes the line away.
    #[schema(minimum = 0, maximum = 1_000)]
    quantity: i64,
    /// Words of the buyer; those that are there stay if this is absent.
    #[schema(required = false, max_length = 200)]
    notes: String,
}

/// All lines of a cart.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct CartFields {
    #[schema(max_items = 1000, inline)]
    items: Vec<ItemFields>,
}

impl InPath for ItemPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        text.parse().ok()
    }

    fn refused() -> Problem {
        Problem::malformed("the id of an item is a UUID").with_field("itemId", "malformed", "must be a UUID")
    }
}

/// The routes of carts.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(read_cart, replace_cart, clear_cart))
        .routes(routes!(merge_cart))
        .routes(routes!(add_item))
        .routes(routes!(change_item, remove_item))
        .merge(named::routes())
}

/// Read the cart
///
/// Prices and stock are those of this moment. A caller without a credential has the cart of its cookie.
#[utoipa::path(get, path = "/api/cart", tag = "cart", security((), ("token" = ["cart:manage"])),
    responses((status = 200, description = "The cart", body = One<Cart>)))]
async fn read_cart(
    State(commerce): State<Commerce>,
    browser: BrowserRequest,
    Caller(call): Caller,
) -> Result<Response, Problem> {
    let visit = Visit::begin(&commerce, &browser, call).await?;
    let data = commerce.cart(&visit.call, &visit.buyer).await?;
    Ok(visit.answered(JsonAnswer(One { data, message: "the cart" }).into_response()))
}

/// Replace all lines of the cart
#[utoipa::path(put, path = "/api/cart", tag = "cart", request_body = CartFields, params(KeyParameter), security((), ("token" = ["cart:manage"])),
    responses((status = 200, description = "The cart", body = One<Cart>), (status = 400, description = "Every bad field"),
        (status = 404, description = "There is no such product"), (status = 422, description = "A rule of the shop stands against it"),
        KeyRefused))]
async fn replace_cart(
    State(commerce): State<Commerce>,
    browser: BrowserRequest,
    WriteFields(call, fields): WriteFields,
) -> Result<Response, Problem> {
    let wishes = Wish::read_all(&fields, commerce.0.options.cart_line_units_max)?;
    let visit = Visit::begin(&commerce, &browser, call).await?;
    let done = commerce.replace_cart(&visit.call, &visit.buyer, &wishes).await?;
    let data = commerce.cart(&visit.call, &visit.buyer).await?;
    let answer = WriteAnswer::json(StatusCode::OK, &done, &One { data, message: "the cart was changed" });
    Ok(visit.answered(answer.into_response()))
}

/// Empty the cart
#[utoipa::path(delete, path = "/api/cart", tag = "cart", params(KeyParameter), security((), ("token" = ["cart:manage"])),
    responses((status = 204, description = "The cart is empty"), (status = 400, description = "Not a key"), KeyRefused))]
async fn clear_cart(
    State(commerce): State<Commerce>,
    browser: BrowserRequest,
    WriteCall(call): WriteCall,
) -> Result<Response, Problem> {
    let visit = Visit::begin(&commerce, &browser, call).await?;
    let done = commerce.clear_cart(&visit.call, &visit.buyer).await?;
    Ok(visit.answered(WriteAnswer::empty(StatusCode::NO_CONTENT, &done).into_response()))
}

/// Move the cart of the guest into that of the user
///
/// Every request of a user that has the cookie of a guest does so first; this one does nothing else.
#[utoipa::path(post, path = "/api/cart/merge", tag = "cart", security(("token" = ["cart:manage"])),
    responses((status = 200, description = "The cart", body = One<Cart>)))]
async fn merge_cart(
    State(commerce): State<Commerce>,
    browser: BrowserRequest,
    Caller(call): Caller,
) -> Result<Response, Problem> {
    let visit = Visit::begin(&commerce, &browser, call).await?;
    let data = commerce.cart(&visit.call, &visit.buyer).await?;
    Ok(visit.answered(JsonAnswer(One { data, message: "the carts are one" }).into_response()))
}

/// Put a product into the cart
///
/// The units are added to those that the cart has of the product.
#[utoipa::path(post, path = "/api/cart/items", tag = "cart", request_body = ItemFields, params(KeyParameter), security((), ("token" = ["cart:manage"])),
    responses((status = 201, description = "The line of the product", body = One<CartItem>), (status = 400, description = "Every bad field"),
        (status = 404, description = "There is no such product"), (status = 422, description = "A rule of the shop stands against it"),
        KeyRefused))]
async fn add_item(
    State(commerce): State<Commerce>,
    browser: BrowserRequest,
    WriteFields(call, fields): WriteFields,
) -> Result<Response, Problem> {
    let wish = Wish::read(&fields, commerce.0.options.cart_line_units_max)?;
    let visit = Visit::begin(&commerce, &browser, call).await?;
    let done = commerce.add_to_cart(&visit.call, &visit.buyer, &wish).await?;
    let answer = One { data: &done.value, message: "the product is in the cart" };
    let place = format!("/api/cart/items/{}", done.value.id);
    let answer = WriteAnswer::json(StatusCode::CREATED, &done, &answer).location(&place);
    Ok(visit.answered(answer.into_response()))
}

/// Change a line of the cart
#[utoipa::path(put, path = "/api/cart/items/{itemId}", tag = "cart", request_body = ItemChange, params(("itemId" = Uuid, Path), KeyParameter),
    security((), ("token" = ["cart:manage"])),
    responses((status = 200, description = "The line", body = One<CartItem>), (status = 204, description = "The line is gone"),
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 422, description = "A rule of the shop stands against it"), KeyRefused))]
async fn change_item(
    State(commerce): State<Commerce>,
    At(item): At<ItemPath>,
    browser: BrowserRequest,
    WriteFields(call, fields): WriteFields,
) -> Result<Response, Problem> {
    let change = read_change(&fields, commerce.0.options.cart_line_units_max)?;
    let visit = Visit::begin(&commerce, &browser, call).await?;
    let done = commerce.change_cart_item(&visit.call, &visit.buyer, item, change).await?;
    let answer = match &done.value {
        Some(item) => {
            WriteAnswer::json(StatusCode::OK, &done, &One { data: item, message: "the line was changed" })
        }
        None => WriteAnswer::empty(StatusCode::NO_CONTENT, &done),
    };
    Ok(visit.answered(answer.into_response()))
}

/// Take a line out of the cart
#[utoipa::path(delete, path = "/api/cart/items/{itemId}", tag = "cart", params(("itemId" = Uuid, Path), KeyParameter),
    security((), ("token" = ["cart:manage"])),
    responses((status = 204, description = "The line is gone"), (status = 400, description = "Not an id"),
        (status = 404, description = "There is none"), KeyRefused))]
async fn remove_item(
    State(commerce): State<Commerce>,
    At(item): At<ItemPath>,
    browser: BrowserRequest,
    WriteCall(call): WriteCall,
) -> Result<Response, Problem> {
    let visit = Visit::begin(&commerce, &browser, call).await?;
    let done = commerce.remove_cart_item(&visit.call, &visit.buyer, item).await?;
    Ok(visit.answered(WriteAnswer::empty(StatusCode::NO_CONTENT, &done).into_response()))
}
