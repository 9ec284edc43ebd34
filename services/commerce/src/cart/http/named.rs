//! Carts by the names of their users: one's own, or any for a caller with the scope `admin:all`.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use pando_http::JsonAnswer;
use pando_service::http::WriteCall;
use pando_service::prelude::*;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::CartFields;
use super::visit::named;
use crate::Commerce;
use crate::cart::domain::contents::Cart;
use crate::cart::domain::wish::Wish;
use crate::http::shape::One;

pub(super) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(read_cart_of_user, replace_cart_of_user, delete_cart_of_user))
        .routes(routes!(clear_cart_of_user))
}

/// Read the cart of a user
#[utoipa::path(get, path = "/api/cart/{userId}", tag = "cart", params(("userId" = String, Path)), security(("token" = ["cart:manage"])),
    responses((status = 200, description = "The cart", body = One<Cart>), (status = 400, description = "Not a name"),
        (status = 403, description = "It is the cart of another user")))]
async fn read_cart_of_user(
    State(commerce): State<Commerce>,
    Path(user): Path<String>,
    Caller(call): Caller,
) -> Result<JsonAnswer<One<Cart>>, Problem> {
    let data = commerce.cart(&call, &named(&call, &user)?).await?;
    Ok(JsonAnswer(One { data, message: "the cart" }))
}

/// Replace all lines of the cart of a user
#[utoipa::path(put, path = "/api/cart/{userId}", tag = "cart", request_body = CartFields, params(("userId" = String, Path), KeyParameter),
    security(("token" = ["cart:manage"])),
    responses((status = 200, description = "The cart", body = One<Cart>), (status = 400, description = "Every bad field"),
        (status = 403, description = "It is the cart of another user"), (status = 404, description = "There is no such product"),
        (status = 422, description = "A rule of the shop stands against it"), KeyRefused))]
async fn replace_cart_of_user(
    State(commerce): State<Commerce>,
    Path(user): Path<String>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let buyer = named(&call, &user)?;
    let wishes = Wish::read_all(&fields, commerce.0.options.cart_line_units_max)?;
    let done = commerce.replace_cart(&call, &buyer, &wishes).await?;
    let data = commerce.cart(&call, &buyer).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &One { data, message: "the cart was changed" }))
}

/// Empty the cart of a user, by its shorter path
#[utoipa::path(delete, path = "/api/cart/{userId}", tag = "cart", params(("userId" = String, Path), KeyParameter), security(("token" = ["cart:manage"])),
    responses((status = 204, description = "The cart is empty"), (status = 400, description = "Not a name"),
        (status = 403, description = "It is the cart of another user"), KeyRefused))]
async fn delete_cart_of_user(
    state: State<Commerce>,
    user: Path<String>,
    call: WriteCall,
) -> Result<Response, Problem> {
    clear_cart_of_user(state, user, call).await
}

/// Empty the cart of a user
#[utoipa::path(delete, path = "/api/cart/{userId}/clear", tag = "cart", params(("userId" = String, Path), KeyParameter),
    security(("token" = ["cart:manage"])),
    responses((status = 204, description = "The cart is empty"), (status = 400, description = "Not a name"),
        (status = 403, description = "It is the cart of another user"), KeyRefused))]
async fn clear_cart_of_user(
    State(commerce): State<Commerce>,
    Path(user): Path<String>,
    WriteCall(call): WriteCall,
) -> Result<Response, Problem> {
    let done = commerce.clear_cart(&call, &named(&call, &user)?).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done).into_response())
}
