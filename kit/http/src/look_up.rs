//! The look-up of a hot read: asks memory for the answer to one request, and gives this answer its headers.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use http::response::Parts;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use pando_resilience::Tenant;

use crate::asked::Asked;
use crate::edge_state::Edge;
use crate::hot::{HotAnswer, HotFind, HotRequest, X_CACHE, replace};
use crate::routes::Found;
use crate::{Encoding, Precondition};

/// Looks into memory. A panic in the look-up must not end the connection: the handler answers instead.
pub(crate) fn look_up(
    edge: &Edge,
    find: &HotFind,
    (tenant, name): (&Tenant, &str),
    asked: &Asked<'_>,
) -> Option<HotAnswer> {
    let consistency = edge.consistency(asked);
    let consistency = consistency.as_deref();
    let packed_bytes_min = edge.packed_from(asked.accepts_compression);
    let encoding = if packed_bytes_min.is_some() { asked.encoding } else { Encoding::Identity };
    let packed_bytes_min = packed_bytes_min.unwrap_or(u64::MAX);
    let request = HotRequest { tenant, name, consistency, encoding, packed_bytes_min };
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
    (tenant, found): (&Tenant, Option<Found<'_>>),
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
        None => look_up(edge, find, (tenant, found?.name), asked)?,
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
