//! The forms that published clients of the shop expect: one thing, a page of things, and errors.

use http::StatusCode;
use pando_clock::Clock;
use pando_http::{Code, ErrorAnswer, ErrorShape, Problem, Rejected};
use serde::Serialize;
use utoipa::{PartialSchema as _, ToSchema};

/// One thing, and a word about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct One<T> {
    pub(crate) data: T,
    pub(crate) message: &'static str,
}

/// Where a page stands among all pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pagination {
    /// The number of the page, from 0.
    pub(crate) page: u64,
    /// How many things a page has.
    pub(crate) size: u64,
    /// How many things there are on all pages. Things beyond 10,000 are not counted, and only cursors get to them.
    pub(crate) total_elements: u64,
    pub(crate) total_pages: u64,
    /// The cursor of the next page, which is found at once however far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(crate) next: Option<String>,
}

/// A page of things.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Many<T> {
    pub(crate) data: Vec<T>,
    #[schema(inline)]
    pub(crate) pagination: Pagination,
    pub(crate) message: &'static str,
}

/// An error answer: the published members, and those of problem details beside them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShopError<'a> {
    code: &'a str,
    message: &'a str,
    /// Quote it when you ask for help.
    trace_id: &'a str,
    #[schema(format = DateTime)]
    timestamp: String,
    path: &'a str,
    method: &'a str,
    service: &'static str,
    /// Every bad field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, inline)]
    field_errors: Vec<ShopFieldError<'a>>,
    /// How many bad fields there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    error_count: Option<usize>,
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShopFieldError<'a> {
    field: &'a str,
    /// The value, cut at 200 characters. Secrets are masked, and lists and objects are texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    rejected_value: Option<&'a serde_json::Value>,
    message: &'a str,
    code: &'a str,
}

impl Pagination {
    /// The page of this number and size, of so many things.
    pub(crate) fn new((page, size): (u64, u64), total_elements: u64, next: Option<String>) -> Self {
        Self { page, size, total_elements, total_pages: total_elements.div_ceil(size.max(1)), next }
    }
}

/// The shape of errors, for the paths that begin like this.
pub(crate) const fn error_shape(prefix: &'static str) -> ErrorShape {
    ErrorShape {
        prefix,
        media_type: "application/json",
        status: if is_cart(prefix) { status_of_cart } else { status },
        write,
        schema: || ("ShopError", ShopError::schema()),
    }
}

const fn is_cart(prefix: &str) -> bool {
    matches!(prefix.as_bytes(), b"/api/cart")
}

/// Published clients ask with `POST /api/cart` whether there is such a route, and understand 404 alone.
fn status_of_cart(problem: &Problem) -> StatusCode {
    match problem.code() {
        Code::MethodNotAllowed => StatusCode::NOT_FOUND,
        _ => status(problem),
    }
}

fn status(problem: &Problem) -> StatusCode {
    match problem.code() {
        // A fault with a name is a rule of the shop, and a key that was used for another request is no bad field either.
        Code::Invalid if problem.name().is_empty() && !is_reused_key(problem) => StatusCode::BAD_REQUEST,
        _ => problem.status(),
    }
}

fn is_reused_key(problem: &Problem) -> bool {
    problem.errors().iter().any(|error| error.field == "Idempotency-Key" && error.code == "reused")
}

fn write(answer: &ErrorAnswer<'_>) -> Vec<u8> {
    let problem = answer.problem;
    let errors = problem.errors().iter().map(|error| ShopFieldError {
        field: &error.field,
        rejected_value: error.rejected.as_ref().map(Rejected::shown),
        message: &error.message,
        code: &error.code,
    });
    let error = ShopError {
        code: code(problem, answer.status),
        message: problem.detail(),
        trace_id: answer.request_id,
        timestamp: Clock::system().now().to_string(),
        path: answer.path,
        method: answer.method,
        service: service_of(answer.path),
        field_errors: errors.collect(),
        error_count: Some(problem.errors().len()).filter(|count| *count > 0),
        r#type: "about:blank",
        title: problem.code().title(),
        status: answer.status.as_u16(),
        detail: problem.detail(),
        instance: answer.path,
    };
    // Texts and a number: there is nothing that cannot be written.
    serde_json::to_vec(&error).unwrap_or_default()
}

/// The published code of an error.
fn code(problem: &Problem, status: StatusCode) -> &str {
    match problem.code() {
        _ if !problem.name().is_empty() => problem.name(),
        Code::Unauthenticated => "AUTHENTICATION_FAILED",
        Code::Forbidden => "AUTHORIZATION_FAILED",
        Code::NotFound | Code::Gone => "RESOURCE_NOT_FOUND",
        Code::MethodNotAllowed if status == StatusCode::NOT_FOUND => "RESOURCE_NOT_FOUND",
        Code::Conflict => "DUPLICATE_RESOURCE",
        Code::VersionMismatch | Code::VersionRequired => "CONSTRAINT_VIOLATION",
        Code::TooMany => "RATE_LIMIT_EXCEEDED",
        Code::Unavailable | Code::StorageFull | Code::Timeout | Code::BadGateway | Code::NotImplemented => {
            "SERVICE_UNAVAILABLE"
        }
        Code::Invalid if status == StatusCode::UNPROCESSABLE_ENTITY => "BUSINESS_RULE_VIOLATION",
        _ if status.is_server_error() => "INTERNAL_ERROR",
        _ => "VALIDATION_ERROR",
    }
}

/// The published name of the part of the shop that a path belongs to.
fn service_of(path: &str) -> &'static str {
    let part = path.trim_start_matches("/api/").split('/').next().unwrap_or_default();
    match part {
        "cart" => "cart-service",
        "orders" => "order-service",
        "payments" => "payment-service",
        "inventory" => "inventory-service",
        _ => "product-service",
    }
}
