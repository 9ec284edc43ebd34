//! The hot read: an answer that a service already holds in memory is sent before the router, behind every guard of the
//! edge.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use pando_resilience::Tenant;

use crate::{Encoding, REQUEST_ID};

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
    /// The tenant of the caller.
    pub tenant: &'r Tenant,
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

/// The headers of every answer from memory, some to be replaced: to copy them costs less than to put each one in its place.
pub(crate) fn hot_template(lasting: HeaderMap) -> HeaderMap {
    let mut template = lasting;
    template.insert(header::CONTENT_TYPE, JSON);
    for replaced in KEPT_PLACES {
        template.insert(replaced, HeaderValue::from_static(""));
    }
    template
}

/// The start of every such answer as the wire writes it: status and the headers that are always the same.
pub(crate) fn lasting_head(template: &HeaderMap) -> Vec<u8> {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    for (name, value) in template.iter().filter(|(name, _)| !is_kept_place(name)) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head
}

/// Whether the template keeps a place for this header.
fn is_kept_place(name: &HeaderName) -> bool {
    KEPT_PLACES.contains(name)
}

/// Puts a value in the place that the template keeps for it.
pub(crate) fn replace(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    if let Some(place) = headers.get_mut(name) {
        *place = value;
    }
}
