//! The state of the edge: the data that every request needs, one per server. This file also makes the headers of every answer, and
//! the answers to bytes that never became a request, because both need this data only.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use pando_clock::Clock;
use pando_resilience::Identity;
use pando_telemetry::Gauge;

use crate::access_log::AccessLog;
use crate::asked::Asked;
use crate::body_budget::BodyBudget;
use crate::caller::{CONSISTENCY_TOKEN, REQUEST_ID};
use crate::compression::Compressed;
use crate::hot::{hot_template, lasting_head};
use crate::proxies::TrustedProxies;
use crate::routes::{MethodIndex, RouteEntry, RouteTable};
use crate::{Authentication, Gate, HttpOptions, OnRefusal, Problem};

const POD_NAME: HeaderName = HeaderName::from_static("x-pod-name");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");
pub(crate) const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// The data that every request needs; one per server.
pub(crate) struct Edge {
    pub(crate) routes: RouteTable,
    pub(crate) router: axum::Router,
    pub(crate) compressed: Option<Compressed>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) access_log: AccessLog,
    pub(crate) clock: Clock,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) active: Gauge,
    /// The caller where nobody asks who it is.
    pub(crate) anonymous: Arc<Identity>,
    /// The caller of a request without a credential, where such callers are served.
    pub(crate) guest: Arc<Identity>,
    pub(crate) authentication: Option<Authentication>,
    pub(crate) pod_name: Option<HeaderValue>,
    pub(crate) uri_bytes_max: usize,
    pub(crate) local_hosts_only: bool,
    pub(crate) headers_max: usize,
    pub(crate) compress_bytes_min: u64,
    pub(crate) hot_headers: HeaderMap,
    /// The same, as they are written.
    pub(crate) hot_head: Vec<u8>,
    pub(crate) hot_wire: bool,
    pub(crate) bodies: Arc<BodyBudget>,
    pub(crate) gate: Option<Gate>,
    pub(crate) on_refusal: Option<OnRefusal>,
}

impl Edge {
    pub(crate) fn pod_name(options: &HttpOptions) -> Option<HeaderValue> {
        options.pod_name.as_deref().filter(|name| !name.is_empty()).and_then(|name| name.parse().ok())
    }

    /// A whole HTTP/1.1 answer to a request that never became one; the connection closes after it.
    pub(crate) fn protocol_answer(&self, status: StatusCode) -> Vec<u8> {
        let detail = match status {
            StatusCode::TOO_MANY_REQUESTS => "this address has too many connections at once",
            StatusCode::REQUEST_TIMEOUT => "the head of the request did not arrive in time",
            StatusCode::URI_TOO_LONG => "the path and query are too long",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the headers are too many or too large",
            _ => "the request is not valid HTTP",
        };
        self.refusal(status, detail)
    }

    /// The answer to a request that came as plain HTTP where TLS is spoken.
    pub(crate) fn plain_http_answer(&self) -> Vec<u8> {
        self.refusal(StatusCode::BAD_REQUEST, "this port speaks HTTPS, and the request came as plain HTTP")
    }

    fn refusal(&self, status: StatusCode, detail: &'static str) -> Vec<u8> {
        let request_id = self.clock.fresh_id().to_string();
        let problem = Problem::from_status(status, detail);
        let body = problem.body(Some(&request_id), None);
        let route = self.routes.unknown();
        route.record(MethodIndex::OTHER, status, Duration::ZERO);
        route.record_error(MethodIndex::OTHER, problem.code());
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\nx-request-id: {request_id}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), &body].concat()
    }

    /// From which size this caller gets compressed answers.
    pub(crate) fn packed_from(&self, accepts_compression: bool) -> Option<u64> {
        (accepts_compression && self.compressed.is_some()).then_some(self.compress_bytes_min)
    }

    /// The headers every answer has.
    pub(crate) fn finish_headers(
        &self,
        headers: &mut HeaderMap,
        request_id: HeaderValue,
        varies: bool,
        is_grpc: bool,
    ) {
        // No reserve: they fit where the first one was put, and growing costs more than all of them.
        headers.insert(REQUEST_ID, request_id);
        if let Some(pod) = &self.pod_name {
            headers.insert(POD_NAME, pod.clone());
        }
        if is_grpc {
            // The others are for browsers and caches, which read no gRPC.
            return;
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        // Only a page has links to follow.
        if headers.get(header::CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"text/html")) {
            headers.insert(header::REFERRER_POLICY, NO_REFERRER);
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            // Clients may cache an answer with an ETag and must revalidate it each time; they must not cache other answers.
            let policy = if headers.contains_key(header::ETAG) { REVALIDATE } else { NO_STORE };
            headers.insert(header::CACHE_CONTROL, policy);
        }
        if varies {
            // Beside what its handler says it depends on.
            headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
    }

    /// Caches on the way serve everybody, so an answer for which the caller had to say who asks is not for them.
    pub(crate) fn keep_private(&self, route: &RouteEntry, method: MethodIndex, headers: &mut HeaderMap) {
        if self.authentication.is_none() || route.scope(method).is_none() {
            return;
        }
        if let Some(policy) = headers.get_mut(header::CACHE_CONTROL)
            && let Some(rest) = policy.as_bytes().strip_prefix(b"public")
            && let Ok(private) = HeaderValue::from_bytes(&[b"private", rest].concat())
        {
            *policy = private;
        }
    }

    /// The consistency token that came with a request; an empty text if it is not one that a caller was given.
    pub(crate) fn consistency<'r>(&self, asked: &Asked<'r>) -> Option<Cow<'r, str>> {
        let sent = String::from_utf8_lossy(asked.consistency?);
        match &self.authentication {
            Some(authentication) => Some((authentication.cover.show)(&sent).unwrap_or_default().into()),
            None => Some(sent),
        }
    }

    /// Hides the position that the token of an answer names.
    pub(crate) fn cover_token(&self, headers: &mut HeaderMap) {
        let (Some(authentication), Some(token)) = (&self.authentication, headers.get_mut(CONSISTENCY_TOKEN))
        else {
            return;
        };
        let hidden = token.to_str().ok().and_then(|token| (authentication.cover.hide)(token));
        match hidden.and_then(|hidden| HeaderValue::try_from(hidden).ok()) {
            Some(hidden) => *token = hidden,
            None => drop(headers.remove(CONSISTENCY_TOKEN)),
        }
    }

    /// The headers of every hot answer.
    pub(crate) fn hot_headers(&mut self) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, HeaderValue::from_static(""));
        self.finish_headers(&mut headers, HeaderValue::from_static(""), self.compressed.is_some(), false);
        self.hot_headers = hot_template(headers);
        self.hot_head = lasting_head(&self.hot_headers);
    }

    /// While draining, a connection ends with its answer. HTTP/2 says it with GOAWAY.
    pub(crate) fn close_if_draining(&self, headers: &mut HeaderMap, version: Version) {
        if version < Version::HTTP_2 && self.draining.load(Ordering::Relaxed) {
            headers.insert(header::CONNECTION, CLOSE);
        }
    }
}
