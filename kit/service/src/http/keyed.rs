//! Requests with an `Idempotency-Key`: the call carries the key, and everything that must be the same in a repeat.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, header};
use pando_http::{Caller, JsonDocument, Problem, RawBody};
use pando_idempotency::{Key, hash_of};
use pando_resilience::{Call, Repeat};
use serde_json::{Map, Value};
use utoipa::{IntoParams, IntoResponses};

/// The answer says so when it is not the first.
pub(crate) const REPLAYED: &str = "idempotent-replayed";

const KEY_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("idempotency-key"), HeaderName::from_static("x-idempotency-key")];

/// The header by which a repeated request is recognised.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes the header; Keyed reads it")]
pub struct KeyParameter {
    /// Repeats with the same key get the first answer, with `Idempotent-Replayed: true`
    #[param(rename = "Idempotency-Key", pattern = "^[A-Za-z0-9_-]{1,64}$")]
    idempotency_key: Option<String>,
}

/// The refusals that every request with a key can get.
#[derive(IntoResponses)]
pub enum KeyRefused {
    /// Another request with this Idempotency-Key is still being processed
    #[response(status = 409)]
    InFlight,
    /// The Idempotency-Key was used for another request
    #[response(status = 422)]
    OtherRequest,
}

/// The key of a request, if it has one, before its body is read.
#[derive(Clone, Debug)]
pub struct Keyed {
    call: Call,
    key: Option<Box<Asked>>,
}

#[derive(Clone, Debug)]
struct Asked {
    key: Key,
    operation: String,
    path: String,
    media: Vec<u8>,
    if_match: Vec<u8>,
}

/// The call of a write whose body does not matter. An extractor.
#[derive(Clone, Debug)]
pub struct WriteCall(pub Call);

/// The call of a write, and its body: a JSON object. An extractor.
#[derive(Clone, Debug)]
pub struct WriteFields(pub Call, pub Map<String, Value>);

/// The same, for clients that may also write the key into the body, as `idempotencyKey`. The header wins. An extractor.
#[derive(Clone, Debug)]
pub struct KeyedFields(pub Call, pub Map<String, Value>);

/// The call of a write, and its body: any JSON. An extractor.
#[derive(Clone, Debug)]
pub struct WriteDocument(pub Call, pub Value);

/// The call of a write, and its body as it came. An extractor.
#[derive(Clone, Debug)]
pub struct WriteBody(pub Call, pub Bytes);

impl Keyed {
    /// The call, whatever its key.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The key, if there is one.
    pub fn key(&self) -> Option<&str> {
        self.key.as_ref().map(|asked| asked.key.as_str())
    }

    /// The call of a write with this body: it is part of the request's identity, like its path and type.
    pub fn with_body(self, body: &[u8]) -> Call {
        self.with_hash(|asked| hash_of(&[asked.path.as_bytes(), &asked.media, &asked.if_match, body]))
    }

    /// The call of an upload, of which only the content counts, not its wrapping: the boundary between the parts of a form
    /// differs each time.
    pub fn with_content(self, content: &[u8]) -> Call {
        let content = hash_of(&[content]);
        self.with_hash(|asked| hash_of(&[asked.path.as_bytes(), &[], &asked.if_match, &content]))
    }

    /// The call of a write that other transports have, too: a repeat may come by any of them. The content is the same for
    /// the same write, whichever transport it comes by.
    pub fn of_operation(self, operation: &str, content: impl FnOnce() -> Vec<u8>) -> Call {
        let call = self.with_hash(|_| hash_of(&[&content()]));
        let repeat =
            call.repeat.as_deref().map(|repeat| Repeat { operation: operation.to_owned(), ..repeat.clone() });
        Call { repeat: repeat.map(Arc::new), ..call }
    }

    /// The call of a write of which nothing but the body counts.
    pub fn with_body_alone(self, body: &[u8]) -> Call {
        self.with_hash(|_| hash_of(&[body]))
    }

    fn with_hash(self, hash: impl FnOnce(&Asked) -> [u8; 32]) -> Call {
        let repeat = self.key.map(|asked| {
            let hash = hash(&asked);
            Arc::new(Repeat { operation: asked.operation, key: asked.key.to_string(), hash })
        });
        Call { repeat, ..self.call }
    }

    fn read(parts: &Parts, call: Call) -> Result<Self, Problem> {
        let Some(value) = KEY_HEADERS.iter().find_map(|name| parts.headers.get(name)) else {
            return Ok(Self { call, key: None });
        };
        let key = Key::parse(value.to_str().unwrap_or_default()).map_err(|error| {
            let text = error.to_string();
            Problem::malformed(text.clone()).with_field("Idempotency-Key", "malformed", text)
        })?;
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let route = route.ok_or_else(|| Problem::internal("a request with a key came by no route"))?;
        let bytes = |name| parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes).to_vec();
        let asked = Asked {
            key,
            operation: format!("{} {route}", parts.method),
            path: parts.uri.path().to_owned(),
            media: bytes(header::CONTENT_TYPE),
            if_match: bytes(header::IF_MATCH),
        };
        Ok(Self { call, key: Some(Box::new(asked)) })
    }

    async fn of_request(request: Request, state: &(impl Send + Sync)) -> Result<(Self, Request), Problem> {
        let (mut parts, body) = request.into_parts();
        let keyed = Self::from_request_parts(&mut parts, state).await?;
        Ok((keyed, Request::from_parts(parts, body)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(call) = Caller::from_request_parts(parts, state).await?;
        Self::read(parts, call)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WriteCall {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Keyed::from_request_parts(parts, state).await?.with_body(&[])))
    }
}

impl<S: Send + Sync> FromRequest<S> for WriteFields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (keyed, request) = Keyed::of_request(request, state).await?;
        let document = JsonDocument::from_request(request, state).await?;
        let call = keyed.with_body(&document.bytes);
        Ok(Self(call, document.into_object()?))
    }
}

impl<S: Send + Sync> FromRequest<S> for KeyedFields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let keyed = Keyed::from_request_parts(&mut parts, state).await?;
        let document = JsonDocument::from_request(Request::from_parts(parts.clone(), body), state).await?;
        let in_body = document.value.get("idempotencyKey").filter(|key| !key.is_null());
        let keyed = match in_body {
            Some(key) if keyed.key().is_none() => {
                let key = key.as_str().and_then(|key| HeaderValue::from_str(key).ok());
                let key = key.ok_or_else(|| {
                    let problem = Problem::malformed("the idempotency key is a text");
                    problem.with_field(
                        "idempotencyKey",
                        "malformed",
                        "must be a text of letters, digits, - and _",
                    )
                })?;
                let [name, _] = KEY_HEADERS;
                parts.headers.insert(name, key);
                Keyed::read(&parts, keyed.call)?
            }
            _ => keyed,
        };
        let call = keyed.with_body(&document.bytes);
        Ok(Self(call, document.into_object()?))
    }
}

impl<S: Send + Sync> FromRequest<S> for WriteDocument {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (keyed, request) = Keyed::of_request(request, state).await?;
        let JsonDocument { value, bytes } = JsonDocument::from_request(request, state).await?;
        Ok(Self(keyed.with_body(&bytes), value))
    }
}

impl<S: Send + Sync> FromRequest<S> for WriteBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (keyed, request) = Keyed::of_request(request, state).await?;
        let RawBody(body) = RawBody::from_request(request, state).await?;
        Ok(Self(keyed.with_body(&body), body))
    }
}
