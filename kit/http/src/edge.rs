//! The edge: one flat function every request passes, read top to bottom.

use std::convert::Infallible;
use std::future::ready;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{CatchUnwind, Either};
use http::response::Parts;
use http::{HeaderMap, Request, StatusCode, Version, header};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use pando_resilience::{Call, Deadline, Identity};
use tower::Service as _;

use crate::access_log::Line;
use crate::admission::{Admitted, Head, admit, identify, pass};
use crate::answer::{EdgeBody, Origin};
use crate::authentication::{Recognised, recognise, verify};
use crate::body::{BoundedBody, body_too_slow};
use crate::body_budget::BodyShare;
use crate::caller::{REQUEST_ID, RequestContext};
use crate::compression::{compressed, varies};
use crate::connection::{Busy, Carried, Connection};
use crate::credential_text::without_credentials;
use crate::edge_state::Edge;
use crate::error_shape::ErrorAnswer;
use crate::grpc::{Answer, is_failure, is_grpc, refuse, watch};
use crate::hot::{X_CACHE, replace};
use crate::look_up::hot_answer;
use crate::routes::{MethodIndex, RouteEntry, RouteIndex};
use crate::{Code, Credential, Problem, RefusedRequest};

/// The data about a request that is needed when its answer ends.
struct Seen<'a> {
    route: &'a RouteEntry,
    index: Option<RouteIndex>,
    method: MethodIndex,
    version: Version,
    path: &'a str,
    /// Whether its caller reads gRPC.
    is_grpc: bool,
}

/// One request from its head to its answer's head.
///
/// Up to the handler nothing waits, so that the future, which hyper moves for each request, holds little.
pub(crate) fn handle(
    edge: &Arc<Edge>,
    connection: &Arc<Connection>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<EdgeBody>, Infallible>> + Send + use<> {
    let busy = connection.begin();
    let (method, version) = (MethodIndex::of(request.method()), request.version());
    let found = edge.routes.find(request.uri().path());
    let index = found.map(|found| found.index);
    let route = edge.routes.entry(index);
    let is_grpc = is_grpc(route, index.is_none(), &request);
    // Request id, client identity, deadline.
    let head = Head::of(&request, connection);
    let mut admitted = identify(edge, connection, &busy, route, &head.asked, request.headers());

    // The guards, route and body limit; then who asks, and the gate, once for each request.
    let (gate, known) = match connection.take_carried() {
        Some(Carried { gate, answer }) => (gate, Some(answer)),
        None => (None, None),
    };
    let admission = admit(edge, index.map(|_| route), method, &head)
        .and_then(|()| welcome((edge, connection), (route, method), &head, admitted.client, gate));

    // The hot read: what is in memory needs no handler.
    if let Ok(Recognised::Caller(caller)) = &admission
        && let Some(find) = &route.hot
        && let Some((parts, body)) =
            hot_answer(edge, find, (&caller.tenant, found), &head.asked, &request, known)
    {
        let seen = Seen { route, index, method, version, path: request.uri().path(), is_grpc };
        return Either::Left(ready(Ok(hot_response(edge, &seen, admitted, parts, body, busy))));
    }

    // The handler begins.
    let origin = Origin::new(edge, admitted.request_id(), index, method);
    let target = request.uri().path_and_query().cloned();
    let begun = Begun::new(&origin, connection, (route, admission), &mut admitted, request);
    // Boxed: hyper moves what it is given, and an answer from memory is small.
    Either::Right(Box::pin(async move {
        let response = begun.finish(&origin, (index, method), &mut admitted).await;
        let edge = origin.edge.clone();
        let path = target.as_ref().map_or("", |target| target.path());
        let seen = Seen { route: edge.routes.entry(index), index, method, version, path, is_grpc };
        // Problem body, headers, access log and metrics.
        let (mut parts, mut body) = response.into_parts();
        if parts.status.as_u16() >= 400 {
            body = Box::pin(explain(&mut parts, body, &seen, (&origin, admitted.client))).await;
        }
        if is_grpc {
            body = watch(&parts, body, Answer { edge: edge.clone(), route: index }, admitted.deadline());
        }
        let varies = edge.compressed.is_some() && varies(&parts, &body, edge.compress_bytes_min);
        if varies && body.is_end_stream() && admitted.compress {
            // The answer to a HEAD never met compression: the length it tells is not the one a GET would have.
            parts.headers.remove(header::CONTENT_LENGTH);
        }
        edge.record(&parts, &seen, &admitted, body.size_hint().exact());
        edge.cover_token(&mut parts.headers);
        edge.keep_private(seen.route, method, &mut parts.headers);
        edge.finish_headers(&mut parts.headers, admitted.request_id, varies, is_grpc);
        edge.close_if_draining(&mut parts.headers, version);
        Ok(Response::from_parts(parts, EdgeBody::new(body, version, origin, busy)))
    }))
}

/// Finds out who asks, and asks the gate, unless the wire has done so.
fn welcome(
    (edge, connection): (&Edge, &Connection),
    (route, method): (&RouteEntry, MethodIndex),
    head: &Head<'_>,
    client: IpAddr,
    gate: Option<Result<(), Problem>>,
) -> Result<Recognised, Box<Response>> {
    let recognised = recognise((edge, connection), (route, method), &head.asked, || client);
    let passed = gate.or_else(|| pass(edge, route, client)).unwrap_or(Ok(()));
    passed.and(recognised).map_err(|problem| Box::new(problem.into_response()))
}

/// A request on its way to its answer.
enum Begun {
    Handler(Handler),
    Verification {
        credential: Credential<String>,
        request: Box<Request<Incoming>>,
        connection: Arc<Connection>,
    },
    Refused(Box<Response>),
}

impl Begun {
    fn new(
        origin: &Origin,
        connection: &Arc<Connection>,
        (route, admission): (&RouteEntry, Result<Recognised, Box<Response>>),
        admitted: &mut Admitted,
        request: Request<Incoming>,
    ) -> Self {
        match admission {
            Ok(Recognised::Caller(caller)) => {
                Self::Handler(Handler::begin(origin, connection, (route, caller), admitted, request))
            }
            Ok(Recognised::Unverified(credential)) => {
                Self::Verification { credential, request: Box::new(request), connection: connection.clone() }
            }
            Err(refused) => {
                if !request.body().is_end_stream() {
                    connection.linger_at_close();
                }
                Self::Refused(refused)
            }
        }
    }

    async fn finish(
        self,
        origin: &Origin,
        (index, method): (Option<RouteIndex>, MethodIndex),
        admitted: &mut Admitted,
    ) -> Response {
        match self {
            Self::Handler(handler) => handler.finish().await,
            Self::Refused(refused) => *refused,
            Self::Verification { credential, request, connection } => {
                let route = (origin.edge.routes.entry(index), method);
                verify_and_handle(origin, &connection, route, admitted, (credential, *request)).await
            }
        }
    }
}

/// Answers a request whose caller is not known yet.
async fn verify_and_handle(
    origin: &Origin,
    connection: &Arc<Connection>,
    (route, method): (&RouteEntry, MethodIndex),
    admitted: &mut Admitted,
    (credential, request): (Credential<String>, Request<Incoming>),
) -> Response {
    let verified = verify(&origin.edge, (route, method), credential, admitted.client);
    let refused = match tokio::time::timeout_at(admitted.deadline(), verified).await {
        Ok(Ok(caller)) => {
            return Handler::begin(origin, connection, (route, caller), admitted, request).finish().await;
        }
        Ok(Err(problem)) => problem,
        Err(_elapsed) => {
            Problem::new(Code::Timeout, "the deadline passed before the credential was verified")
        }
    };
    if !request.body().is_end_stream() {
        connection.linger_at_close();
    }
    refused.into_response()
}

/// An answer from memory, recorded and dressed like any other.
fn hot_response(
    edge: &Arc<Edge>,
    seen: &Seen<'_>,
    admitted: Admitted,
    mut parts: Parts,
    body: Bytes,
    busy: Busy,
) -> Response<EdgeBody> {
    edge.record(&parts, seen, &admitted, Some(body.len() as u64));
    edge.close_if_draining(&mut parts.headers, seen.version);
    let body = if seen.version == Version::HTTP_2 {
        let origin = Origin::new(edge, admitted.request_id(), seen.index, seen.method);
        EdgeBody::new(Body::from(body), seen.version, origin, busy)
    } else {
        EdgeBody::whole(body, busy)
    };
    replace(&mut parts.headers, &REQUEST_ID, admitted.request_id);
    Response::from_parts(parts, body)
}

type Plain = axum::routing::future::RouteFuture<Infallible>;
type Compressing = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

type Work = CatchUnwind<AssertUnwindSafe<Either<Plain, Compressing>>>;

/// A handler at work.
struct Handler {
    /// Boxed once: cheaper than to be moved with the future of the request.
    work: Pin<Box<Work>>,
    deadline: Deadline,
    /// True while it waits for the body of the request.
    waiting: Option<Arc<AtomicBool>>,
    /// The memory that the body takes, until the request is answered.
    _share: Option<Arc<BodyShare>>,
}

impl Handler {
    fn begin(
        origin: &Origin,
        connection: &Arc<Connection>,
        (route, caller): (&RouteEntry, Arc<Identity>),
        admitted: &mut Admitted,
        request: Request<Incoming>,
    ) -> Self {
        let edge = &origin.edge;
        let call = Call {
            deadline: Deadline::at(admitted.deadline()),
            request_id: origin.request_id.clone(),
            identity: (*caller).clone(),
            client: Some(admitted.client),
            consistency: admitted.consistency.take(),
            repeat: None,
        };
        let deadline = call.deadline;
        let has_body = !request.body().is_end_stream();
        let share = has_body.then(|| Arc::new(BodyShare::new(edge.bodies.clone())));
        let context = RequestContext {
            call,
            client: admitted.client,
            encrypted: admitted.encrypted,
            share: share.clone(),
        };
        let (request, waiting) = prepare(connection, route, context, request);
        let work = match (&route.grpc, edge.compressed.as_ref().filter(|_| admitted.compress)) {
            // gRPC compresses each message, so the edge does not compress the body.
            (Some(service), _) => Either::Right(service.clone().call(request)),
            (None, Some(service)) => Either::Right(compressed(service.clone(), request)),
            (None, None) => Either::Left(edge.router.clone().call(request)),
        };
        Self { work: Box::pin(AssertUnwindSafe(work).catch_unwind()), deadline, waiting, _share: share }
    }

    /// Its answer, or what its deadline or a panic in it means.
    async fn finish(self) -> Response {
        let Self { mut work, deadline, waiting, _share } = self;
        // Most handlers answer at once and need no timer.
        let done = match futures_util::poll!(work.as_mut()) {
            Poll::Ready(done) => Ok(done),
            Poll::Pending => tokio::time::timeout_at(deadline.instant(), work).await,
        };
        match done {
            Ok(Ok(Ok(response))) => response,
            Ok(Err(panic)) => Problem::internal(describe_panic(&*panic)).into_response(),
            Err(_elapsed) if waiting.is_some_and(|waiting| waiting.load(Ordering::Relaxed)) => {
                body_too_slow().into_response()
            }
            Err(_elapsed) => {
                Problem::new(Code::Timeout, "the deadline passed before the answer was ready").into_response()
            }
        }
    }
}

/// Bounds the body and leaves what handlers may ask for in the extensions.
fn prepare(
    connection: &Arc<Connection>,
    route: &RouteEntry,
    context: RequestContext,
    request: Request<Incoming>,
) -> (Request<Body>, Option<Arc<AtomicBool>>) {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(context);
    if body.is_end_stream() {
        return (Request::from_parts(parts, Body::empty()), None);
    }
    let waiting = Arc::new(AtomicBool::new(false));
    let bounded =
        BoundedBody::new(body, route.body_bytes_max, route.pace, waiting.clone(), connection.clone());
    (Request::from_parts(parts, Body::new(bounded)), Some(waiting))
}

/// Gives an error answer its problem body, counts it and logs a failure of ours once.
async fn explain(
    parts: &mut Parts,
    body: Body,
    seen: &Seen<'_>,
    (origin, client): (&Origin, IpAddr),
) -> Body {
    let request_id = &*origin.request_id;
    let problem = match parts.extensions.remove::<Problem>() {
        Some(problem) => problem,
        None if has_own_body(&parts.headers) => {
            seen.route.record_error(seen.method, Code::from_status(parts.status));
            // Health probes learn every few seconds that the server is not ready; that is not a failed request.
            if parts.status.is_server_error() && !seen.route.is_system() {
                log_failure(parts.status, seen, request_id, "the handler's own answer");
            }
            return body;
        }
        None => Problem::from_status(parts.status, rejection_text(parts.status, body).await),
    };
    seen.route.record_error(seen.method, problem.code());
    if let (Code::Unauthenticated | Code::Forbidden, Some(told)) = (problem.code(), &origin.edge.on_refusal) {
        told(&RefusedRequest {
            request_id,
            method: seen.method.name(),
            template: &seen.route.template,
            client,
            caller: problem.caller(),
            code: problem.code(),
            detail: problem.detail(),
        });
    }
    if parts.status.is_server_error() {
        let causes = problem.causes();
        log_failure(parts.status, seen, request_id, causes.as_deref().unwrap_or(problem.detail()));
    }
    if seen.is_grpc {
        refuse(parts, &problem);
        return Body::empty();
    }
    let path = &*without_credentials(seen.path);
    let (rendered, media_type) = match origin.edge.routes.error_shapes.of(seen.path) {
        Some(shape) => {
            parts.status = (shape.status)(&problem);
            let (status, method) = (parts.status, seen.method.name());
            let answer = ErrorAnswer { problem: &problem, status, request_id, method, path };
            ((shape.write)(&answer), shape.content_type())
        }
        None => (problem.body(Some(request_id), Some(path)), crate::problem::PROBLEM_JSON),
    };
    // They told of the body that was.
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_ENCODING);
    parts.headers.insert(header::CONTENT_TYPE, media_type);
    Body::from(rendered)
}

fn log_failure(status: StatusCode, seen: &Seen<'_>, request_id: &str, cause: &str) {
    tracing::error!(
        request.id = request_id,
        http.method = seen.method.name(),
        http.route = &*seen.route.template,
        http.status = status.as_u16(),
        error = cause,
        "request failed"
    );
}

/// A handler that answers an error in JSON of its own (health does) keeps it; plain text is a rejection's.
fn has_own_body(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|media| !media.as_bytes().starts_with(b"text/plain"))
}

/// The text of a rejection, which says what the request got wrong; nothing of the inside for a 5xx.
async fn rejection_text(status: StatusCode, body: Body) -> String {
    if status.is_client_error()
        && let Ok(bytes) = axum::body::to_bytes(body, 4 * 1024).await
        && let Ok(text) = String::from_utf8(bytes.to_vec())
        && !text.is_empty()
    {
        return text;
    }
    status.canonical_reason().unwrap_or("error").to_lowercase()
}

impl Edge {
    /// Metrics and the access log.
    fn record(&self, parts: &Parts, seen: &Seen<'_>, admitted: &Admitted, bytes: Option<u64>) {
        let now = Instant::now();
        let took = now.saturating_duration_since(admitted.began);
        seen.route.record(seen.method, parts.status, took);
        let line = Line {
            request_id: admitted.request_id(),
            method: seen.method,
            reads: seen.method.is_read() || seen.route.reads && !is_failure(parts),
            template: &seen.route.template,
            path: seen.path,
            status: parts.status,
            now,
            took,
            bytes,
            client: admitted.client,
        };
        self.access_log.write(&line, || parts.headers.get(X_CACHE)?.to_str().ok());
    }
}

fn describe_panic(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the handler panicked: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the future a function returns.
    fn size_of_future<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_stays_small() {
        // hyper moves it once for every request.
        let bytes = size_of_future(|edge: Arc<Edge>, connection: Arc<Connection>, request| {
            handle(&edge, &connection, request)
        });
        assert!(bytes <= 320, "{bytes} bytes");
    }
}
