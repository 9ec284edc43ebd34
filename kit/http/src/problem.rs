//! The one form of an error answer: RFC 9457 problem details, with a closed list of codes.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use pando_resilience::Identity;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Rejected;

/// The media type of every error answer.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The code of an error, from a closed list. Each code has one status and one title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// 400: the request cannot be read.
    Malformed,
    /// 401: the request has no credential, or one that does not count.
    Unauthenticated,
    /// 402: a payment was refused.
    PaymentRequired,
    /// 403: the caller may not do this.
    Forbidden,
    /// 404: no such route or resource.
    NotFound,
    /// 405: the route exists, but not with this method.
    MethodNotAllowed,
    /// 408: the request did not arrive in time.
    RequestTimeout,
    /// 409: the request contradicts the present state, such as a value that must be unique.
    Conflict,
    /// 410: it was here, and will not come back.
    Gone,
    /// 412: the resource has another version than the client named.
    VersionMismatch,
    /// 413: the body is larger than the route allows.
    TooLarge,
    /// 414: the path and query are too long.
    UriTooLong,
    /// 415: the body's media type or encoding is not one the route reads.
    UnsupportedMedia,
    /// 422: the request can be read, but its values break a rule.
    Invalid,
    /// 428: the route requires `If-Match`.
    VersionRequired,
    /// 429: the client sends too many requests.
    TooMany,
    /// 431: the headers are too many or too large.
    HeaderTooLarge,
    /// 500: an error inside the server.
    Internal,
    /// 501: this deployment does not offer the feature.
    NotImplemented,
    /// 502: a server behind this one gave no usable answer.
    BadGateway,
    /// 503: a dependency cannot be reached at the moment.
    Unavailable,
    /// 504: the deadline passed before the answer was ready.
    Timeout,
    /// 507: there is no space to store the data.
    StorageFull,
}

impl Code {
    /// Every code there is.
    pub const ALL: [Self; 23] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::PaymentRequired,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::Gone,
        Self::VersionMismatch,
        Self::TooLarge,
        Self::UriTooLong,
        Self::UnsupportedMedia,
        Self::Invalid,
        Self::VersionRequired,
        Self::TooMany,
        Self::HeaderTooLarge,
        Self::Internal,
        Self::NotImplemented,
        Self::BadGateway,
        Self::Unavailable,
        Self::Timeout,
        Self::StorageFull,
    ];

    /// Status, name and title: the one table.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed", "Malformed request"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "Unauthenticated"),
            Self::PaymentRequired => (StatusCode::PAYMENT_REQUIRED, "payment_required", "Payment required"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            }
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout", "Request timeout"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::Gone => (StatusCode::GONE, "gone", "Gone"),
            Self::VersionMismatch => {
                (StatusCode::PRECONDITION_FAILED, "version_mismatch", "Version mismatch")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Body too large"),
            Self::UriTooLong => (StatusCode::URI_TOO_LONG, "uri_too_long", "URI too long"),
            Self::UnsupportedMedia => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media", "Unsupported media type")
            }
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Invalid values"),
            Self::VersionRequired => {
                (StatusCode::PRECONDITION_REQUIRED, "version_required", "Version required")
            }
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many", "Too many requests"),
            Self::HeaderTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "header_too_large", "Headers too large")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "not_implemented", "Not implemented"),
            Self::BadGateway => (StatusCode::BAD_GATEWAY, "bad_gateway", "Bad gateway"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
            Self::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout", "Deadline exceeded"),
            Self::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "storage_full", "Storage full"),
        }
    }

    /// The status this code answers with.
    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// The code as clients read it, in snake_case.
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// A short name for people.
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// The code that best says what a bare status means.
    pub fn from_status(status: StatusCode) -> Self {
        let fallback = if status.is_server_error() { Self::Internal } else { Self::Malformed };
        Self::ALL.into_iter().find(|code| code.status() == status).unwrap_or(fallback)
    }
}

/// One value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The place of the value: a field (`email`, `items[3].name`), a parameter or a header.
    pub field: Cow<'static, str>,
    /// The code of the broken rule, in snake_case.
    pub code: Cow<'static, str>,
    /// The broken rule as a sentence for people.
    pub message: Cow<'static, str>,
    /// The value, if it may be repeated. Only an [`ErrorShape`](crate::ErrorShape) tells it.
    #[serde(skip)]
    #[schema(ignore)]
    pub rejected: Option<Rejected>,
}

impl FieldError {
    /// A value, the code of the rule that it breaks, and the rule.
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into(), rejected: None }
    }

    /// With the value that breaks the rule.
    #[must_use]
    pub fn rejecting(mut self, value: &serde_json::Value) -> Self {
        self.rejected = Some(Rejected::of(&self.field, value));
        self
    }
}

/// An error answer as a value: made by handlers, rendered once by the edge.
#[derive(Clone)]
pub struct Problem(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after_secs: Option<u64>,
    headers: Vec<(http::HeaderName, HeaderValue)>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    /// The request that this was first the answer to, if it is a repeat.
    request_id: Option<Box<str>>,
    /// The caller who is refused, as far as known.
    caller: Option<Arc<Identity>>,
    /// The name of the problem within its service.
    name: Cow<'static, str>,
}

impl Problem {
    /// A problem with a message for the client. The message must say nothing about the inside of the server.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            status: code.status(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_secs: if code == Code::Unavailable { Some(1) } else { None },
            headers: Vec::new(),
            source: None,
            request_id: None,
            caller: None,
            name: Cow::Borrowed(""),
        }))
    }

    /// 400: the request cannot be read.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Malformed, detail)
    }

    /// 404, with the same words in every service: `no such profile`.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }

    /// 422 holding every bad field at once.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.field, only.message),
            many => format!("{} values are invalid", many.len()),
        };
        let mut problem = Self::new(Code::Invalid, detail);
        problem.0.errors = errors;
        problem
    }

    /// 500: the error goes to the log and not to the client.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "something went wrong on our side").with_source(source)
    }

    /// 503 with `Retry-After: 1`; the error goes to the log.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::Unavailable, "temporarily unavailable, try again").with_source(source)
    }

    /// Adds one bad field.
    #[must_use]
    pub fn with_field(
        mut self,
        field: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.errors.push(FieldError::new(field, code, message));
        self
    }

    /// Adds one bad field that is described already.
    #[must_use]
    pub fn with_error(mut self, error: FieldError) -> Self {
        self.0.errors.push(error);
        self
    }

    /// Adds `Retry-After`, in whole seconds, at least one.
    #[must_use]
    pub fn with_retry_after(mut self, secs: u64) -> Self {
        self.0.retry_after_secs = Some(secs.max(1));
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Keeps the error that caused this, for the log only.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.with_shared_source(Arc::from(source.into()))
    }

    /// The same, for an error that others keep as well.
    #[must_use]
    pub fn with_shared_source(mut self, source: Arc<dyn Error + Send + Sync>) -> Self {
        self.0.source = Some(source);
        self
    }

    /// Names the problem within its service: an [`ErrorShape`](crate::ErrorShape) can tell clients this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.name = name.into();
        self
    }

    /// The name within the service; empty if it has none.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// This was the answer to an earlier request, whose id the body names.
    #[must_use]
    pub fn as_answered_to(mut self, request_id: &str) -> Self {
        self.0.request_id = Some(request_id.into());
        self
    }

    /// Names the caller who is refused: for the audit log, and not for the answer.
    #[must_use]
    pub fn with_caller(mut self, caller: Arc<Identity>) -> Self {
        self.0.caller = Some(caller);
        self
    }

    /// The caller who is refused, as far as known.
    pub(crate) fn caller(&self) -> Option<&Identity> {
        self.0.caller.as_deref()
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The message for the caller.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Every bad field.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The chain of errors that caused this problem, in one line for the log.
    pub(crate) fn causes(&self) -> Option<String> {
        let mut error: &dyn Error = self.0.source.as_deref()?;
        let mut text = error.to_string();
        while let Some(next) = error.source() {
            text.push_str(": ");
            text.push_str(&next.to_string());
            error = next;
        }
        Some(text)
    }

    /// Makes a problem of an answer that has none: a rejection of axum, or a status that a handler chose.
    pub(crate) fn from_status(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let code = Code::from_status(status);
        let mut problem = Self::new(code, detail);
        problem.0.status = status;
        problem
    }

    /// The body, completed with the path and the request id.
    pub(crate) fn body(&self, request_id: Option<&str>, instance: Option<&str>) -> Vec<u8> {
        let code = self.0.code;
        let document = ProblemDocument {
            r#type: "about:blank",
            title: code.title(),
            status: self.0.status.as_u16(),
            detail: &self.0.detail,
            instance,
            error: &self.0.detail,
            code: code.name(),
            request_id: self.0.request_id.as_deref().or(request_id),
            errors: &self.0.errors,
        };
        serde_json::to_vec(&document).expect("a problem is plain text and numbers")
    }

    /// The whole answer.
    pub(crate) fn render(&self, request_id: Option<&str>, instance: Option<&str>) -> Response {
        let mut response = Response::new(Body::from(self.body(request_id, instance)));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        if let Some(secs) = self.0.retry_after_secs {
            headers.insert(header::RETRY_AFTER, secs.into());
        }
        for (name, value) in &self.0.headers {
            headers.insert(name.clone(), value.clone());
        }
        response
    }
}

/// The body of every error answer (RFC 9457 and a few members of our own).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// Always `about:blank`; `code` identifies the problem.
    r#type: &'a str,
    /// The meaning of the code, for people.
    title: &'a str,
    /// The status of the answer.
    status: u16,
    /// The fault of this request.
    detail: &'a str,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    /// The same message, for older clients.
    error: &'a str,
    /// The code of the error, from a closed list.
    code: &'a str,
    /// The `X-Request-ID` of the answer: quote it when you ask for help.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// All bad values of the request.
    errors: &'a [FieldError],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.render(None, None);
        // The edge finds it here and renders it again with the request id and the path.
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("code", &self.0.code)
            .field("detail", &self.0.detail)
            .field("errors", &self.0.errors)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.name(), self.0.detail)
    }
}

impl Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_status_and_name() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert!(code.status().as_u16() >= 400);
            assert_eq!(Code::from_status(code.status()), code);
            assert!(Code::ALL[..index].iter().all(|other| other.name() != code.name()));
        }
        assert_eq!(Code::from_status(StatusCode::NOT_ACCEPTABLE), Code::Malformed);
        assert_eq!(Code::from_status(StatusCode::HTTP_VERSION_NOT_SUPPORTED), Code::Internal);
    }

    #[test]
    fn the_source_is_for_the_log_only() {
        let problem = Problem::internal(std::io::Error::other("password=hunter2 refused"));
        let body = String::from_utf8(problem.body(Some("r-1"), Some("/x"))).unwrap();
        assert!(!body.contains("hunter2"), "{body}");
        assert_eq!(problem.causes().unwrap(), "password=hunter2 refused");
    }

    #[test]
    fn the_body_holds_every_member_clients_rely_on() {
        let problem =
            Problem::new(Code::Conflict, "this e-mail is taken").with_field("email", "taken", "is taken");
        let body: serde_json::Value = serde_json::from_slice(&problem.body(Some("r-1"), Some("/p"))).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "about:blank", "title": "Conflict", "status": 409, "detail": "this e-mail is taken",
                "instance": "/p", "error": "this e-mail is taken", "code": "conflict", "request_id": "r-1",
                "errors": [{"field": "email", "code": "taken", "message": "is taken"}],
            })
        );
    }

    #[test]
    fn unavailable_says_when_to_come_back() {
        let response = Problem::unavailable("database away").into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        let later = Problem::new(Code::TooMany, "slow down").with_retry_after(0).into_response();
        assert_eq!(later.headers()["retry-after"], "1");
    }
}
