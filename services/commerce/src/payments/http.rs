//! Payments over HTTP.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use pando_http::{JsonAnswer, QueryString, RawBody};
use pando_service::http::KeyedFields;
use pando_service::prelude::*;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::domain::asked::PaymentAsked;
use super::domain::payment::{Payment, PaymentStatus};
use super::domain::refund::RefundAsked;
use super::list_payments::PaymentQuestion;
use crate::Commerce;
use crate::domain::faults::against_the_rules;
use crate::http::paging::Paging;
use crate::http::shape::{Many, One, Pagination};
use crate::orders::http::user_of;

/// The payment in the path. A text that is no id is a bad one.
struct PaymentPath;

/// The payment that a caller asks for.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct PaymentFields {
    order_id: Uuid,
    #[schema(required = false, max_length = 200)]
    user_id: String,
    /// The price of the order.
    amount: f64,
    #[schema(required = false, pattern = "^[A-Z]{3}$")]
    currency: String,
    /// A card: `type`, `cardNumber`, `expiryMonth`, `expiryYear`, `cvv`, and perhaps `cardholderName`; or `type` and the `token` of one;
    /// or a text, with the card in `cardDetails`.
    #[schema(value_type = Object)]
    payment_method: (),
    #[schema(required = false, value_type = Object)]
    card_details: (),
    /// The key of the request, if no header has it.
    #[schema(required = false, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    idempotency_key: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; RefundAsked reads it")]
struct RefundFields {
    /// All that is left, if it is absent.
    #[schema(required = false)]
    amount: f64,
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the query; list reads it")]
struct ListParameters {
    /// The number of the page, from 0; at most 10,000 payments are stepped over
    #[param(required = false, minimum = 0, default = 0)]
    page: u64,
    /// How many payments
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    size: u64,
    /// The `next` of the page before, instead of `page`
    #[param(required = false)]
    cursor: String,
    /// Only payments of this user
    #[param(required = false)]
    user_id: String,
    /// Only payments of this order
    #[param(required = false)]
    order_id: Uuid,
    /// Only payments in this state
    #[param(required = false)]
    status: String,
}

impl InPath for PaymentPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        text.parse().ok()
    }

    fn refused() -> Problem {
        Problem::malformed("the id of a payment is a UUID").with_field("id", "malformed", "must be a UUID")
    }
}

/// The routes of payments.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(list_payments, create_payment))
        .routes(routes!(charge_payment))
        .routes(routes!(take_callback))
        .routes(routes!(read_payment))
        .routes(routes!(refresh_payment))
        .routes(routes!(refund_payment))
}

/// Pay an order
///
/// The card goes to the provider of payments, and is not kept. An order has one payment: a second request gets the first one.
#[utoipa::path(post, path = "/api/payments", tag = "payments", request_body = PaymentFields, params(KeyParameter),
    security(("token" = ["payment:process"])),
    responses((status = 201, description = "The payment; `PENDING` while the provider has not answered", body = One<Payment>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 403, description = "It is for another user"),
        (status = 404, description = "There is no such order"), (status = 409, description = "The order cannot be paid"),
        (status = 422, description = "The payment failed, or the units are sold"),
        (status = 503, description = "The card could not be checked")))]
async fn create_payment(
    State(commerce): State<Commerce>,
    KeyedFields(call, fields): KeyedFields,
) -> Result<WriteAnswer, Problem> {
    paid(&commerce, &call, &fields).await
}

/// Pay an order, by its other path
#[utoipa::path(post, path = "/api/payments/charge", tag = "payments", request_body = PaymentFields, params(KeyParameter),
    security(("token" = ["payment:process"])),
    responses((status = 201, description = "The payment; `PENDING` while the provider has not answered", body = One<Payment>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 403, description = "It is for another user"),
        (status = 404, description = "There is no such order"), (status = 409, description = "The order cannot be paid"),
        (status = 422, description = "The payment failed, or the units are sold"),
        (status = 503, description = "The card could not be checked")))]
async fn charge_payment(
    State(commerce): State<Commerce>,
    KeyedFields(call, fields): KeyedFields,
) -> Result<WriteAnswer, Problem> {
    paid(&commerce, &call, &fields).await
}

async fn paid(commerce: &Commerce, call: &Call, fields: &Map<String, Value>) -> Result<WriteAnswer, Problem> {
    let asked = PaymentAsked::read(fields)?;
    user_of(call, fields.get("userId").and_then(Value::as_str))?;
    let done = commerce.charge_order(call, &asked).await?;
    let payment = commerce.get_payment(call, done.value).await?;
    if payment.status == PaymentStatus::Failed {
        let insufficient = payment.failure_code == "INSUFFICIENT_FUNDS";
        let name = if insufficient { "INSUFFICIENT_FUNDS" } else { "PAYMENT_PROCESSOR_ERROR" };
        let fault = against_the_rules(name, payment.failure_reason.clone());
        return Err(fault.with_field("paymentMethod", payment.failure_code, payment.failure_reason).into());
    }
    let place = format!("/api/payments/{}", payment.id);
    let answer = One { data: payment, message: "the payment" };
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &answer).location(&place))
}

/// Read a payment
#[utoipa::path(get, path = "/api/payments/{id}", tag = "payments", params(("id" = Uuid, Path)), security(("token" = ["payment:process"])),
    responses((status = 200, description = "The payment, with its refunds", body = One<Payment>), (status = 400, description = "Not an id"),
        (status = 404, description = "There is none, or it is of another user")))]
async fn read_payment(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    At(id): At<PaymentPath>,
) -> Result<JsonAnswer<One<Payment>>, Problem> {
    let data = commerce.get_payment(&call, id).await?;
    Ok(JsonAnswer(One { data, message: "the payment" }))
}

/// Read a payment after the provider was asked about it
///
/// The provider is asked only about a payment or a refund whose outcome is not known.
#[utoipa::path(get, path = "/api/payments/{id}/status", tag = "payments", params(("id" = Uuid, Path)),
    security(("token" = ["payment:process"])),
    responses((status = 200, description = "The payment, with its refunds", body = One<Payment>), (status = 400, description = "Not an id"),
        (status = 404, description = "There is none, or it is of another user")))]
async fn refresh_payment(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    At(id): At<PaymentPath>,
) -> Result<JsonAnswer<One<Payment>>, Problem> {
    let data = commerce.refresh_payment(&call, id).await?;
    Ok(JsonAnswer(One { data, message: "the payment" }))
}

/// List payments, the latest first
///
/// Those of `userId`; without it, those of the caller, or of everybody for a caller who may do everything.
#[utoipa::path(get, path = "/api/payments", tag = "payments", params(ListParameters), security(("token" = ["payment:process"])),
    responses((status = 200, description = "A page of payments", body = Many<Payment>), (status = 400, description = "Bad parameters"),
        (status = 403, description = "They are of another user")))]
async fn list_payments(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let paging = Paging::read(&mut query);
    let named = query.text("userId").filter(|user| !user.is_empty());
    let (order, status) =
        (query.parsed("orderId", "a UUID"), query.one_of("status", &PaymentStatus::words()));
    query.finish()?;
    let sees_all = call.identity.scopes.allow("admin:all");
    let user = match named {
        Some(user) => Some(user_of(&call, Some(&user))?),
        None => (!sees_all).then(|| call.actor().to_owned()),
    };
    let (offset, size, after) = (paging.offset, paging.size, paging.after()?);
    let question = PaymentQuestion { user, order, status, after, offset, size };
    let found = commerce.list_payments(&call, &question).await?;
    let next = found.next.as_ref().map(encode_cursor).transpose().map_err(Fault::from)?;
    let pagination = Pagination::new((paging.page as u64, size as u64), found.total, next);
    Ok(JsonAnswer(Many { data: found.payments, pagination, message: "the payments" }).into_response())
}

/// Send money back
#[utoipa::path(post, path = "/api/payments/{id}/refund", tag = "payments", request_body = RefundFields,
    params(("id" = Uuid, Path), KeyParameter), security(("token" = ["admin:all"])),
    responses((status = 200, description = "The payment, with its refunds", body = One<Payment>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is no such payment"),
        (status = 409, description = "Its money never came"), (status = 422, description = "More than is left")))]
async fn refund_payment(
    State(commerce): State<Commerce>,
    At(id): At<PaymentPath>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let asked = RefundAsked::read(&fields).map_err(Fault::from)?;
    let done = commerce.refund_payment(&call, id, &asked).await?;
    let payment = commerce.get_payment(&call, id).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &One { data: payment, message: "the money goes back" }))
}

/// Hear from the provider of payments
///
/// The body is signed by the provider; there is no other credential.
#[utoipa::path(post, path = "/api/payments/callbacks", tag = "payments",
    request_body(content = Object, content_type = "application/json", description = "What the provider says, as it was signed"), security(()),
    responses((status = 204, description = "It was heard"), (status = 400, description = "Not what a provider says"),
        (status = 401, description = "Not signed by the provider, or too old"), (status = 404, description = "There is no such payment")))]
async fn take_callback(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    commerce.take_callback(&call, &headers, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}
