//! The form of error answers that clients of risk and webhooks expect: an object `error`, on every answer that is not 2xx.

use http::StatusCode;
use pando_clock::Clock;
use pando_http::{Code, ErrorAnswer, ErrorShape, FieldError};
use serde::Serialize;
use utoipa::{PartialSchema as _, ToSchema};

/// An error answer.
#[derive(Serialize, ToSchema)]
struct ErrorEnvelope<'a> {
    #[schema(inline)]
    error: EnvelopedError<'a>,
    /// Quote it when you ask for help.
    request_id: &'a str,
    #[schema(format = DateTime)]
    timestamp: String,
    path: &'a str,
    method: &'a str,
}

#[derive(Serialize, ToSchema)]
struct EnvelopedError<'a> {
    code: &'a str,
    message: &'a str,
    /// The first of the bad fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    field: Option<&'a str>,
    /// Every bad field.
    #[schema(inline)]
    validation: &'a [FieldError],
}

/// The shape, for the paths that begin like this.
pub const fn error_envelope(prefix: &'static str) -> ErrorShape {
    ErrorShape {
        prefix,
        media_type: "application/json",
        status: |problem| match problem.code() {
            Code::Invalid => StatusCode::BAD_REQUEST,
            _ => problem.status(),
        },
        write,
        schema: || ("ErrorEnvelope", ErrorEnvelope::schema()),
    }
}

fn write(answer: &ErrorAnswer<'_>) -> Vec<u8> {
    let errors = answer.problem.errors();
    let envelope = ErrorEnvelope {
        error: EnvelopedError {
            code: match answer.problem.name() {
                "" => code(answer.problem.code(), answer.status),
                name => name,
            },
            message: answer.problem.detail(),
            field: errors.first().map(|error| &*error.field),
            validation: errors,
        },
        request_id: answer.request_id,
        timestamp: Clock::system().now().to_string(),
        path: answer.path,
        method: answer.method,
    };
    // Texts: there is nothing that cannot be written.
    serde_json::to_vec(&envelope).unwrap_or_default()
}

/// The published code of an error.
fn code(code: Code, status: StatusCode) -> &'static str {
    match code {
        Code::Unauthenticated => "AUTHENTICATION_ERROR",
        Code::Forbidden => "AUTHORIZATION_ERROR",
        Code::NotFound | Code::Gone => "NOT_FOUND",
        Code::RequestTimeout => "REQUEST_TIMEOUT",
        Code::Conflict | Code::VersionMismatch | Code::VersionRequired => "CONFLICT",
        Code::TooMany => "RATE_LIMIT_EXCEEDED",
        Code::Internal => "INTERNAL_ERROR",
        Code::BadGateway => "EXTERNAL_API_ERROR",
        Code::Unavailable | Code::StorageFull | Code::NotImplemented => "SERVICE_UNAVAILABLE",
        Code::Timeout => "GATEWAY_TIMEOUT",
        _ if status.is_server_error() => "INTERNAL_ERROR",
        _ => "VALIDATION_ERROR",
    }
}
