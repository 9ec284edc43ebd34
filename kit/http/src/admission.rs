//! All guards of the edge in one place: the checks that a request must pass before any work is done for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::asked::Asked;
use crate::authentication::is_encrypted;
use crate::connection::{Busy, Connection};
use crate::credential_text::holds_credential;
use crate::edge_state::{CLOSE, Edge};
use crate::proxies::is_local_host;
use crate::routes::{MethodIndex, RouteEntry};
use crate::{Code, GateRequest, Problem};

/// The head of a request, as far as the guards look at it.
pub(crate) struct Head<'r> {
    pub(crate) asked: Asked<'r>,
    pub(crate) method: &'r Method,
    pub(crate) version: Version,
    /// The length of path and query.
    pub(crate) target_bytes: usize,
    /// Whether the request line names a host, as HTTP/2 does, that is not this machine.
    pub(crate) foreign_authority: bool,
    /// The bytes its body has at least; none when there is no body.
    pub(crate) body: Option<u64>,
}

impl<'r> Head<'r> {
    pub(crate) fn of(request: &'r Request<Incoming>, connection: &Connection) -> Self {
        let (uri, body) = (request.uri(), request.body());
        let mut asked = Asked::read(request.headers(), connection);
        // HTTP/2 names the host in the request line.
        let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
        asked.browser.host = asked.browser.host.or(authority);
        Self {
            asked,
            method: request.method(),
            version: request.version(),
            target_bytes: uri.path_and_query().map_or(0, |target| target.as_str().len()),
            foreign_authority: uri.authority().is_some_and(|name| !is_local_host(name.as_str().as_bytes())),
            body: (!body.is_end_stream()).then(|| body.size_hint().lower()),
        }
    }
}

/// The data about a request that are known before its handler runs.
pub(crate) struct Admitted {
    pub(crate) request_id: HeaderValue,
    pub(crate) client: IpAddr,
    pub(crate) began: Instant,
    pub(crate) budget: Duration,
    pub(crate) consistency: Option<Arc<str>>,
    /// Whether the caller takes a compressed answer.
    pub(crate) compress: bool,
    /// Whether the client's connection is encrypted.
    pub(crate) encrypted: bool,
}

impl Admitted {
    pub(crate) fn request_id(&self) -> &str {
        show(&self.request_id)
    }

    pub(crate) fn deadline(&self) -> tokio::time::Instant {
        (self.began + self.budget).into()
    }
}

/// Names the request, its client and its deadline.
pub(crate) fn identify(
    edge: &Edge,
    connection: &Connection,
    busy: &Busy,
    route: &RouteEntry,
    asked: &Asked<'_>,
    headers: &HeaderMap,
) -> Admitted {
    let began = Instant::now();
    let request_id = match asked.request_id.filter(|value| is_request_id(value)) {
        Some(value) => written(value),
        None => {
            written(connection.request_id(busy.number()).hyphenated().encode_lower(&mut [0; 36]).as_bytes())
        }
    };
    let named = |header| headers.get_all(header).iter().map(HeaderValue::as_bytes);
    let client = edge.proxies.client(connection.peer.ip(), named);
    let timeout = match route.grpc.is_some() {
        true => grpc_timeout(headers),
        false => asked.timeout.and_then(|value| request_timeout(std::str::from_utf8(value).ok()?)),
    };
    let budget = timeout.map_or(route.deadline, |asked| asked.min(route.deadline));
    // Any value is accepted here; the service that uses the token refuses a token that no write returned.
    let consistency = edge.consistency(asked).map(|token| token.into());
    Admitted {
        request_id,
        client,
        began,
        budget,
        consistency,
        compress: asked.accepts_compression && route.grpc.is_none(),
        encrypted: is_encrypted(edge, connection, asked),
    }
}

/// The one step that uses something up: asked once for each request, whichever way it is answered.
pub(crate) fn pass(edge: &Edge, route: &RouteEntry, client: IpAddr) -> Option<Result<(), Problem>> {
    let gate = edge.gate.as_ref()?;
    Some(gate(&GateRequest { template: &route.template, client }))
}

/// Whether the request may be answered; a refusal carries its whole answer. These guards have no effects, so they may run
/// again. [`pass`] is the guard that uses something up.
pub(crate) fn admit(
    edge: &Edge,
    route: Option<&RouteEntry>,
    method: MethodIndex,
    head: &Head<'_>,
) -> Result<(), Box<Response>> {
    let asked = &head.asked;
    let refuse = |problem: Problem| Err(Box::new(problem.into_response()));
    if head.target_bytes > edge.uri_bytes_max {
        return refuse(Problem::new(
            Code::UriTooLong,
            format!("the address of a request may have at most {} bytes", edge.uri_bytes_max),
        ));
    }
    // Two readers could take two hosts for two requests (RFC 9112 wants exactly one).
    if head.version == Version::HTTP_11 && asked.hosts != 1 {
        return refuse(Problem::malformed("a request must have exactly one Host header"));
    }
    if asked.bad_host {
        let problem = Problem::malformed("the Host header is not a host with an optional port");
        return refuse(problem.with_header(header::CONNECTION, CLOSE));
    }
    if edge.local_hosts_only
        && let Some(detail) = not_local(head)
    {
        return refuse(Problem::malformed(detail));
    }
    // Two readers could find two ends of the body.
    if asked.transfers > 0 && (asked.transfers > 1 || asked.bad_transfer || asked.has_length) {
        let problem = Problem::malformed("a body is either `chunked` or has a Content-Length");
        return refuse(problem.with_header(header::CONNECTION, CLOSE));
    }
    // HTTP/1 heads are counted while they are parsed.
    if asked.headers > edge.headers_max {
        let detail = format!("a request may have at most {} headers", edge.headers_max);
        return refuse(Problem::new(Code::HeaderTooLarge, detail));
    }
    let Some(route) = route else {
        return refuse(Problem::new(Code::NotFound, "no such route"));
    };
    if !route.allows(method) {
        if head.method == Method::OPTIONS {
            let allow = [(header::ALLOW, route.allow.clone())];
            return Err(Box::new((StatusCode::NO_CONTENT, allow).into_response()));
        }
        let problem =
            Problem::new(Code::MethodNotAllowed, format!("this route accepts only {}", show(&route.allow)));
        return refuse(problem.with_header(header::ALLOW, route.allow.clone()));
    }
    if route.grpc.is_some() && head.version != Version::HTTP_2 {
        return refuse(Problem::malformed("this is a gRPC method: call it over HTTP/2"));
    }
    if let Some(bytes) = head.body {
        if bytes > route.body_bytes_max {
            let detail = format!("this route accepts bodies of at most {} bytes", route.body_bytes_max);
            return refuse(Problem::new(Code::TooLarge, detail));
        }
        // An encoded body is a few bytes that claim to be many.
        if asked.encoded {
            return refuse(Problem::new(Code::UnsupportedMedia, "send the body without a Content-Encoding"));
        }
    }
    Ok(())
}

/// Why a request is not one of this machine to this machine.
fn not_local(head: &Head<'_>) -> Option<&'static str> {
    let asked = &head.asked;
    match () {
        () if asked.foreign_host || head.foreign_authority => {
            Some("this server answers only requests to localhost (setting http.local_hosts_only)")
        }
        () if asked.forwarded => Some(
            "this server answers only programs on this machine, and not requests that a proxy forwards \
             (setting http.local_hosts_only)",
        ),
        () if asked.foreign_origin => {
            Some("this server answers only pages from localhost (setting http.local_hosts_only)")
        }
        () => None,
    }
}

/// The text of a header; empty when it is not visible ASCII.
pub(crate) fn show(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// A request id of the caller's: 1 to 128 visible ASCII characters, and no credential, because ids are logged.
pub(crate) fn is_request_id(value: &[u8]) -> bool {
    (1..=128).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic) && !holds_credential(value)
}

/// `grpc-timeout`: up to eight digits and a unit. An unreadable value is ignored.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3_600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

fn written(id: &[u8]) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::copy_from_slice(id)).expect("an id is visible ASCII")
}

/// `Request-Timeout`: seconds (`2`, `0.5`) or milliseconds (`250ms`). An unreadable value is ignored.
fn request_timeout(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.trim_end().parse().ok().map(Duration::from_millis);
    }
    let seconds = text.strip_suffix('s').unwrap_or(text).trim_end().parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_timeout_is_read_in_seconds_or_milliseconds() {
        for (text, millis) in [
            ("2", Some(2_000)),
            ("0.5", Some(500)),
            ("2s", Some(2_000)),
            ("250ms", Some(250)),
            (" 250 ms ", Some(250)),
            ("0", Some(0)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(request_timeout(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_timeout_of_grpc_has_up_to_eight_digits_and_a_unit() {
        for (text, expected) in [
            ("2S", Some(Duration::from_secs(2))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("1u", Some(Duration::from_micros(1))),
            ("7n", Some(Duration::from_nanos(7))),
            ("1M", Some(Duration::from_secs(60))),
            ("100000000S", None),
            ("S", None),
            ("-1S", None),
            ("1", None),
            ("1s", None),
            ("é", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", HeaderValue::from_bytes(text.as_bytes()).unwrap());
            assert_eq!(grpc_timeout(&headers), expected, "{text}");
        }
    }

    #[test]
    fn only_visible_request_ids_are_taken_over() {
        let long = "x".repeat(129);
        for (text, taken) in
            [("abc-1", true), ("", false), ("a b", false), (&long, false), (&long[1..], true)]
        {
            assert_eq!(is_request_id(text.as_bytes()), taken, "{text}");
        }
        assert!(!is_request_id(b"\xff"));
    }
}
