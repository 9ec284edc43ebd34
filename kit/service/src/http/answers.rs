//! The answers to reads and writes.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use pando_cache::Source;
use pando_http::{
    CONSISTENCY_TOKEN, Encoding, HotAnswer, HotRead, HotRequest, JsonAnswer, Precondition, etag,
};
use pando_resilience::Tenant;
use serde::Serialize;

use super::keyed::REPLAYED;
use crate::{Kept, Written};

/// The unknown fields of a request that were ignored, so that a client notices a misspelt field.
const PANDO_IGNORED: HeaderName = HeaderName::from_static("pando-ignored");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// What `X-Cache` says of the ages that are asked for most, so that nothing is written for them.
const L1_AGES: [&str; 32] = [
    "l1; age=0",
    "l1; age=1",
    "l1; age=2",
    "l1; age=3",
    "l1; age=4",
    "l1; age=5",
    "l1; age=6",
    "l1; age=7",
    "l1; age=8",
    "l1; age=9",
    "l1; age=10",
    "l1; age=11",
    "l1; age=12",
    "l1; age=13",
    "l1; age=14",
    "l1; age=15",
    "l1; age=16",
    "l1; age=17",
    "l1; age=18",
    "l1; age=19",
    "l1; age=20",
    "l1; age=21",
    "l1; age=22",
    "l1; age=23",
    "l1; age=24",
    "l1; age=25",
    "l1; age=26",
    "l1; age=27",
    "l1; age=28",
    "l1; age=29",
    "l1; age=30",
    "l1; age=31",
];

/// Where an answer was read, and how old that is.
fn x_cache(source: Source, age: Duration) -> HeaderValue {
    let seconds = age.as_secs();
    if source == Source::Origin && seconds == 0 {
        return HeaderValue::from_static("origin; age=0");
    }
    match usize::try_from(seconds).ok().and_then(|seconds| L1_AGES.get(seconds)) {
        Some(text) if source == Source::L1 => HeaderValue::from_static(text),
        _ => HeaderValue::try_from(format!("{}; age={seconds}", source.name())).expect("letters and digits"),
    }
}

/// Reads of one thing, answered before the router if this process holds it: `recall` is given the id as it stands in the path,
/// and the consistency token.
pub fn hot_read(
    path: &'static str,
    recall: impl Fn((&Tenant, &str), Option<&str>) -> Option<Kept> + Send + Sync + 'static,
) -> HotRead {
    let find = move |asked: &HotRequest<'_>| {
        let found = recall((asked.tenant, asked.name), asked.consistency)?;
        let (version, cache) = (found.version(), x_cache(found.source(), found.age()));
        let wanted = asked.encoding_for(found.bytes().len());
        let (body, encoding) = match found.packed(wanted) {
            Some(packed) => (packed, wanted),
            None => (found.answer(), Encoding::Identity),
        };
        Some(HotAnswer { body, encoding, version, tag: etag(version), cache })
    };
    HotRead { path, find: Arc::new(find) }
}

/// The answer to a read of one thing: with its version as `ETag`, and 304 if the caller has this version. `body` is not called
/// for that.
pub fn cached<E>(
    kept: &Kept,
    known: &Precondition,
    body: impl FnOnce(&Kept) -> Result<Response, E>,
) -> Result<Response, E> {
    let mut response =
        if known.is_fresh(kept.version()) { StatusCode::NOT_MODIFIED.into_response() } else { body(kept)? };
    response.headers_mut().insert(header::ETAG, etag(kept.version()));
    Ok(with_x_cache(response, kept))
}

/// Says where an answer was read.
pub fn with_x_cache(mut response: Response, kept: &Kept) -> Response {
    response.headers_mut().insert(X_CACHE, x_cache(kept.source(), kept.age()));
    response
}

/// JSON that is written already.
pub fn json(bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

/// The answer to a write: with the token that makes a later read see it, and with a word that it is a repeat, if it is one.
#[derive(Debug)]
pub struct WriteAnswer(Response);

impl WriteAnswer {
    /// An answer without a body.
    pub fn empty<T>(status: StatusCode, done: &Written<T>) -> Self {
        Self::of(status.into_response(), done)
    }

    /// An answer with a body.
    pub fn json<T>(status: StatusCode, done: &Written<T>, body: &impl Serialize) -> Self {
        Self::of((status, JsonAnswer(body)).into_response(), done)
    }

    fn of<T>(mut response: Response, done: &Written<T>) -> Self {
        let token = HeaderValue::try_from(done.token.to_string()).expect("a token is letters and digits");
        response.headers_mut().insert(CONSISTENCY_TOKEN, token);
        if done.replayed {
            response
                .headers_mut()
                .insert(HeaderName::from_static(REPLAYED), HeaderValue::from_static("true"));
        }
        Self(response)
    }

    /// With the version of the thing as `ETag`.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.0.headers_mut().insert(header::ETAG, etag(version));
        self
    }

    /// With the address of the thing.
    #[must_use]
    pub fn location(mut self, place: &str) -> Self {
        let place = HeaderValue::try_from(place).expect("a path of ASCII letters");
        self.0.headers_mut().insert(header::LOCATION, place);
        self
    }
}

impl IntoResponse for WriteAnswer {
    fn into_response(self) -> Response {
        self.0
    }
}

/// The names of unknown fields for a header: the first twenty, without names of more than 64 bytes. Characters that a header
/// cannot hold are percent-encoded.
pub fn ignored_fields<'a>(unknown: impl Iterator<Item = &'a str>) -> Option<HeaderValue> {
    let mut names: Vec<&str> = Vec::new();
    for name in unknown.filter(|name| (1..=64).contains(&name.len())) {
        if names.len() == 20 {
            break;
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        text.push_str(if index > 0 { ", " } else { "" });
        for byte in name.bytes() {
            match byte {
                b',' | b'%' => text.push_str(&format!("%{byte:02X}")),
                _ if byte.is_ascii_graphic() => text.push(char::from(byte)),
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    HeaderValue::try_from(text).ok().filter(|value| !value.is_empty())
}

/// Names the fields of a request that were ignored.
pub fn with_ignored(mut response: Response, ignored: Option<HeaderValue>) -> Response {
    response.headers_mut().extend(ignored.map(|names| (PANDO_IGNORED, names)));
    response
}
