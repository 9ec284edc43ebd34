//! The hot read: an answer that a service already holds in memory is sent before the router, behind every guard of the
//! edge.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};

use crate::asked::Asked;
use crate::edge::Edge;
use crate::routes::Found;
use crate::{Encoding, Precondition, REQUEST_ID};

pub(crate) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const KEPT_PLACES: [HeaderName; 3] = [header::ETAG, X_CACHE, REQUEST_ID];
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A look-up that may answer `GET` of one route. It must be quick and must not wait: it runs on the connection's task.
#[derive(Clone)]
pub struct HotRead {
    /// The path as the route has it: `/api/v1/profiles/{id}`.
    pub path: &'static str,
    /// Finds the answer; none sends the request to the router.
    pub find: HotFind,
}

/// The look-up itself.
pub type HotFind = Arc<dyn Fn(&HotRequest<'_>) -> Option<HotAnswer> + Send + Sync>;

/// The request for which a look-up runs. Requests with a query string never come here, because they ask for more than the path
/// says.
#[derive(Clone, Copy, Debug)]
pub struct HotRequest<'r> {
    /// The last parameter of the path, as it was sent.
    pub name: &'r str,
    /// The consistency token that came along: an older answer will not do.
    pub consistency: Option<&'r str>,
    /// How the caller takes an answer of at least `packed_bytes_min` bytes; a smaller one is sent as it is.
    pub encoding: Encoding,
    /// The smallest answer that is worth packing.
    pub packed_bytes_min: u64,
}

impl HotRequest<'_> {
    /// The encoding for an answer of so many bytes.
    pub fn encoding_for(&self, bytes: usize) -> Encoding {
        if bytes as u64 >= self.packed_bytes_min { self.encoding } else { Encoding::Identity }
    }
}

/// An answer in JSON, ready to be sent.
#[derive(Clone, Debug)]
pub struct HotAnswer {
    /// The body, in its encoding.
    pub body: Bytes,
    /// How the body is encoded. One that is not, though the caller takes it so and it is large, goes the handler's way.
    pub encoding: Encoding,
    /// The version of the resource: a caller that has it already gets 304.
    pub version: i64,
    /// The version as `ETag`.
    pub tag: HeaderValue,
    /// What `X-Cache` says.
    pub cache: HeaderValue,
}

impl fmt::Debug for HotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotRead").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Looks into memory. A panic in the look-up must not end the connection: the handler answers instead.
pub(crate) fn look_up(
    find: &HotFind,
    name: &str,
    asked: &Asked<'_>,
    packed_bytes_min: Option<u64>,
) -> Option<HotAnswer> {
    let consistency = match asked.consistency {
        Some(token) => Some(std::str::from_utf8(token).ok()?),
        None => None,
    };
    let encoding = if packed_bytes_min.is_some() { asked.encoding } else { Encoding::Identity };
    let packed_bytes_min = packed_bytes_min.unwrap_or(u64::MAX);
    let request = HotRequest { name, consistency, encoding, packed_bytes_min };
    let answer = std::panic::catch_unwind(AssertUnwindSafe(|| find(&request))).unwrap_or_else(|_| {
        tracing::error!("the look-up of a hot read panicked: the handler answers");
        None
    })?;
    // One that is large, and wanted packed, and is not: compression is behind the router.
    let unpacked = answer.encoding == Encoding::Identity && answer.body.len() as u64 >= packed_bytes_min;
    (!unpacked).then_some(answer)
}

/// An answer from memory, where there is one and the request asks for nothing that only its handler can do.
/// `carried` is what the wire has found, if it has looked.
pub(crate) fn hot_answer(
    edge: &Edge,
    find: &HotFind,
    found: Option<Found<'_>>,
    asked: &Asked<'_>,
    request: &Request<Incoming>,
    carried: Option<Option<HotAnswer>>,
) -> Option<(Parts, Bytes)> {
    let plain = *request.method() == Method::GET && request.uri().query().is_none();
    if !plain || !request.body().is_end_stream() {
        return None;
    }
    // The handler refuses an unreadable header.
    let known = match asked.conditional {
        true => Precondition::if_none_match(request.headers()).ok()?,
        false => Precondition::None,
    };
    let answer = match carried {
        Some(carried) => carried?,
        None => look_up(find, found?.name, asked, edge.packed_from(asked.accepts_compression))?,
    };
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.headers = edge.hot_headers.clone();
    replace(&mut parts.headers, &header::ETAG, answer.tag);
    replace(&mut parts.headers, &X_CACHE, answer.cache);
    if known.is_fresh(answer.version) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        return Some((parts, Bytes::new()));
    }
    if let Some(encoding) = answer.encoding.header() {
        parts.headers.insert(header::CONTENT_ENCODING, encoding);
    }
    Some((parts, answer.body))
}

/// The headers of every such answer, some to be replaced: to copy them costs less than to put each one in its place.
pub(crate) fn hot_template(lasting: HeaderMap) -> HeaderMap {
    let mut template = lasting;
    template.insert(header::CONTENT_TYPE, JSON);
    for replaced in KEPT_PLACES {
        template.insert(replaced, HeaderValue::from_static(""));
    }
    template
}

/// Whether the template keeps a place for this header.
pub(crate) fn is_kept_place(name: &HeaderName) -> bool {
    KEPT_PLACES.contains(name)
}

/// Puts a value in the place that the template keeps for it.
pub(crate) fn replace(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    if let Some(place) = headers.get_mut(name) {
        *place = value;
    }
}
