//! Orders over HTTP.

mod changes;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pando_http::{Code, JsonAnswer, QueryString};
use pando_service::Class;
use pando_service::http::KeyedFields;
use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::domain::order::Order;
use super::domain::request::Asked;
use super::domain::status::OrderStatus;
use super::list_orders::OrderQuestion;
use crate::Commerce;
use crate::http::paging::Paging;
use crate::http::shape::{Many, One, Pagination};

/// The order in the path. A text that is no id is a bad one.
struct OrderPath;

/// The order that a caller asks for.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct OrderFields {
    /// The buyer: the caller, unless the caller may do everything.
    #[schema(required = false, max_length = 200)]
    user_id: String,
    /// Without them, the lines are those of the buyer's cart, which is empty afterwards.
    #[schema(required = false, min_items = 1, max_items = 50, inline)]
    items: Vec<OrderItemFields>,
    /// An object with `street`, `city`, `state`, `zipCode`, `country`, and perhaps `apartment` and `recipient`; or a text.
    #[schema(value_type = Object)]
    shipping_address: (),
    #[schema(required = false, max_length = 500)]
    notes: String,
    /// With a card or the token of one, the order is paid at once; a text, or nothing, leaves the payment to `POST /api/payments`.
    #[schema(required = false, value_type = Object)]
    payment_method: (),
    /// The card of a `paymentMethod` that is a text.
    #[schema(required = false, value_type = Object)]
    card_details: (),
    /// Refuse the order if a price is not the one in `items`.
    #[schema(required = false, default = false)]
    check_prices: bool,
    /// The key of the request, if no header has it.
    #[schema(required = false, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    idempotency_key: String,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct OrderItemFields {
    product_id: Uuid,
    /// A whole number; also as a text.
    #[schema(minimum = 1)]
    quantity: i64,
    /// The price that the buyer saw. It counts only with `checkPrices`.
    #[schema(required = false)]
    price: f64,
}

/// A new order, with its id where each of the published clients looks for it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OrderPlaced<'a> {
    #[schema(value_type = Order)]
    data: &'a Order,
    order_id: Uuid,
    message: &'static str,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the query; Paging reads it")]
struct PageParameters {
    /// The number of the page, from 0; at most 10,000 orders are stepped over
    #[param(required = false, minimum = 0, default = 0)]
    page: u64,
    /// How many orders
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    size: u64,
    /// The `next` of the page before, instead of `page`
    #[param(required = false)]
    cursor: String,
    /// Only orders in this state
    #[param(required = false)]
    status: String,
}

impl InPath for OrderPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        text.parse().ok()
    }

    fn refused() -> Problem {
        Problem::malformed("the id of an order is a UUID").with_field("id", "malformed", "must be a UUID")
    }
}

/// The routes of orders.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(list_orders, create_order))
        .routes(routes!(list_own_orders))
        .routes(routes!(read_order))
        .merge(changes::routes())
}

/// Place an order
///
/// The units are reserved in the same moment, or the order is refused. The answer does not wait for the payment: read the order again, or
/// listen to its events.
#[utoipa::path(post, path = "/api/orders", tag = "orders", request_body = OrderFields, params(KeyParameter),
    security(("token" = ["order:write"])),
    responses((status = 201, description = "The order", body = OrderPlaced), KeyRefused,
        (status = 400, description = "Every bad field, or no idempotency key"), (status = 403, description = "It is for another user"),
        (status = 409, description = "A price has changed"), (status = 422, description = "A rule of the shop stands against it"),
        (status = 503, description = "The card could not be checked")))]
async fn create_order(
    State(commerce): State<Commerce>,
    KeyedFields(call, fields): KeyedFields,
) -> Result<WriteAnswer, Problem> {
    if call.repeat.is_none() {
        let message = "an order needs an idempotency key: in the header Idempotency-Key, or as idempotencyKey in the body";
        let fault = Fault::new(Class::Malformed, message).named("IDEMPOTENCY_KEY_MISSING");
        return Err(fault.with_field("Idempotency-Key", "required", "is required").into());
    }
    let options = &commerce.0.options;
    let asked = Asked::read(&fields, (options.order_lines_max, options.order_line_units_max))?;
    let user = user_of(&call, asked.user.as_deref())?;
    let done = commerce.create_order(&call, &user, &asked).await?;
    let order = &done.value;
    let answer = OrderPlaced { data: order, order_id: order.id, message: "the order was placed" };
    let place = format!("/api/orders/{}", order.id);
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &answer).location(&place))
}

/// Read an order
#[utoipa::path(get, path = "/api/orders/{id}", tag = "orders", params(("id" = Uuid, Path)), security(("token" = ["order:write"])),
    responses((status = 200, description = "The order, with its history", body = One<Order>), (status = 400, description = "Not an id"),
        (status = 404, description = "There is none, or it is of another user")))]
async fn read_order(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    At(id): At<OrderPath>,
) -> Result<JsonAnswer<One<Order>>, Problem> {
    let data = commerce.get_order(&call, id).await?;
    Ok(JsonAnswer(One { data, message: "the order" }))
}

/// List orders, the latest first
///
/// Those of `userId`; without it, those of the caller, or of everybody for a caller who may do everything.
#[utoipa::path(get, path = "/api/orders", tag = "orders", params(PageParameters,
        ("userId" = Option<String>, Query, description = "Only orders of this user")),
    security(("token" = ["order:write"])),
    responses((status = 200, description = "A page of orders", body = Many<Order>), (status = 400, description = "Bad parameters"),
        (status = 403, description = "They are of another user")))]
async fn list_orders(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let named = query.text("userId").filter(|user| !user.is_empty());
    let sees_all = call.identity.scopes.allow("admin:all");
    let user = match named {
        Some(user) => Some(user_of(&call, Some(&user))?),
        None => (!sees_all).then(|| call.actor().to_owned()),
    };
    listed(&commerce, &call, query, user).await
}

/// List the caller's orders, the latest first
#[utoipa::path(get, path = "/api/orders/me", tag = "orders", params(PageParameters), security(("token" = ["order:write"])),
    responses((status = 200, description = "A page of orders", body = Many<Order>), (status = 400, description = "Bad parameters")))]
async fn list_own_orders(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    query: QueryString,
) -> Result<Response, Problem> {
    let user = call.actor().to_owned();
    listed(&commerce, &call, query, Some(user)).await
}

async fn listed(
    commerce: &Commerce,
    call: &Call,
    mut query: QueryString,
    user: Option<String>,
) -> Result<Response, Problem> {
    use axum::response::IntoResponse as _;
    let paging = Paging::read(&mut query);
    let status = query.one_of("status", OrderStatus::words());
    query.finish()?;
    let (offset, size, after) = (paging.offset, paging.size, paging.after()?);
    let found = commerce.list_orders(call, &OrderQuestion { user, status, after, offset, size }).await?;
    let next = found.next.as_ref().map(encode_cursor).transpose().map_err(Fault::from)?;
    let pagination = Pagination::new((paging.page as u64, size as u64), found.total, next);
    Ok(JsonAnswer(Many { data: found.orders, pagination, message: "the orders" }).into_response())
}

/// The user whose things are meant: the caller, or anybody if the caller may do everything.
pub(crate) fn user_of(call: &Call, named: Option<&str>) -> Result<String, Problem> {
    match named {
        None => Ok(call.actor().to_owned()),
        Some(user) if user == call.actor() || call.identity.scopes.allow("admin:all") => Ok(user.to_owned()),
        Some(_) => Err(Problem::new(Code::Forbidden, "these are the things of another user")),
    }
}
