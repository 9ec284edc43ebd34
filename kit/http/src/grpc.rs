//! gRPC at the edge: which methods there are, the caller's deadline, refusals, and the statuses of answers. The messages belong to
//! the services.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::edge_state::Edge;
use crate::routes::{GRPC_STATUSES, RouteEntry, RouteIndex};
use crate::{Code, Problem};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const MEDIA: &str = "application/grpc";

/// The names of the statuses, by number.
const NAMES: [&str; GRPC_STATUSES] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const OK: usize = 0;
const UNKNOWN: usize = 2;
const DEADLINE_EXCEEDED: usize = 4;
const NOT_FOUND: usize = 5;

/// Whether the caller of a request reads gRPC. This is also true for a gRPC call to an unknown method.
pub(crate) fn is_grpc<B>(route: &RouteEntry, is_unknown: bool, request: &Request<B>) -> bool {
    let media = || request.headers().get(header::CONTENT_TYPE);
    request.version() == Version::HTTP_2
        && (route.grpc.is_some()
            || is_unknown && media().is_some_and(|it| it.as_bytes().starts_with(MEDIA.as_bytes())))
}

/// Turns an answer into a refusal: the status stands in the head, and nothing follows.
pub(crate) fn refuse(parts: &mut Parts, problem: &Problem) {
    parts.status = StatusCode::OK;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::ALLOW);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA));
    say(&mut parts.headers, status_of(problem.code()), problem.detail());
}

/// Whether an answer is a failure whose status stands in its head. A thing that is missing is none.
pub(crate) fn is_failure(parts: &Parts) -> bool {
    parts.headers.get(STATUS).is_some_and(|status| ![OK, NOT_FOUND].contains(&number(status)))
}

/// Counts the status of an answer, and ends it at its deadline.
pub(crate) fn watch(parts: &Parts, body: Body, answer: Answer, deadline: Instant) -> Body {
    match parts.headers.get(STATUS) {
        Some(status) => {
            answer.count(number(status));
            body
        }
        None => Body::new(GrpcBody { inner: body, answer: Some(answer), deadline, alarm: None }),
    }
}

/// The gRPC status of a refusal by the edge.
const fn status_of(code: Code) -> usize {
    match code {
        Code::Unauthenticated => 16,
        Code::Forbidden => 7,
        Code::Gone => NOT_FOUND,
        Code::NotFound | Code::MethodNotAllowed | Code::NotImplemented => 12,
        Code::Timeout | Code::RequestTimeout => DEADLINE_EXCEEDED,
        Code::TooLarge | Code::TooMany | Code::HeaderTooLarge | Code::UriTooLong | Code::StorageFull => 8,
        Code::Unavailable | Code::BadGateway => 14,
        Code::Internal => 13,
        Code::Conflict | Code::VersionMismatch => 10,
        Code::VersionRequired | Code::PaymentRequired => 9,
        Code::Malformed | Code::Invalid | Code::UnsupportedMedia => 3,
    }
}

fn say(headers: &mut HeaderMap, status: usize, message: &str) {
    headers.insert(STATUS, HeaderValue::from(status));
    let mut escaped = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    if let Ok(message) = HeaderValue::try_from(escaped) {
        headers.insert(MESSAGE, message);
    }
}

fn number(status: &HeaderValue) -> usize {
    let number = status.to_str().ok().and_then(|text| text.parse::<usize>().ok());
    number.filter(|number| *number < NAMES.len()).unwrap_or(UNKNOWN)
}

/// The route of an answer, under which its status is counted.
pub(crate) struct Answer {
    pub(crate) edge: Arc<Edge>,
    pub(crate) route: Option<RouteIndex>,
}

impl Answer {
    fn count(&self, status: usize) {
        self.edge.routes.entry(self.route).record_grpc(status, NAMES[status]);
    }
}

/// The body of an answer whose status comes behind it.
struct GrpcBody {
    inner: Body,
    /// Until the status is counted.
    answer: Option<Answer>,
    deadline: Instant,
    /// Set when the body keeps its caller waiting, which most answers never do.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl GrpcBody {
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.deadline;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        alarm.as_mut().poll(cx).is_ready()
    }

    fn end(&mut self, status: usize) {
        if let Some(answer) = self.answer.take() {
            answer.count(status);
        }
    }
}

impl HttpBody for GrpcBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.answer.is_none() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    let status = trailers.get(STATUS).map_or(UNKNOWN, number);
                    self.end(status);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => {
                self.end(UNKNOWN);
                Poll::Ready(other)
            }
            Poll::Pending if self.is_late(cx) => {
                self.end(DEADLINE_EXCEEDED);
                // Dropping the body stops the method.
                self.inner = Body::empty();
                let mut trailers = HeaderMap::new();
                say(&mut trailers, DEADLINE_EXCEEDED, "the deadline passed before the answer was complete");
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for GrpcBody {
    fn drop(&mut self) {
        // The client has gone, or reset the stream.
        self.end(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_its_status_in_the_head_and_escapes_its_message() {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        refuse(&mut parts, &Problem::new(Code::Unavailable, "100 % of Zoë\n"));
        assert_eq!(parts.status, StatusCode::OK);
        assert_eq!(parts.headers[STATUS], "14");
        assert_eq!(parts.headers[MESSAGE], "100 %25 of Zo%C3%AB%0A");
    }
}
