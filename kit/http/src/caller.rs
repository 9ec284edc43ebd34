//! The caller of a request, as the edge determined it before the handler runs.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Extensions, HeaderName};
use pando_resilience::Call;

use crate::Problem;
use crate::body_budget::BodyShare;

/// The header that carries a consistency token: writes answer with it, reads send it back to see their own write.
pub const CONSISTENCY_TOKEN: HeaderName = HeaderName::from_static("pando-consistency");

/// The header that names a request, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request as one [`Call`]: deadline, request id, actor and consistency token. An extractor.
#[derive(Clone, Debug)]
pub struct Caller(pub Call);

/// The address of the client: the peer's, or what a trusted proxy says. An extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The data that the edge puts into the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) call: Call,
    pub(crate) client: IpAddr,
    /// Whether the client's connection is encrypted.
    pub(crate) encrypted: bool,
    /// The share of the memory for all bodies that this body takes.
    pub(crate) share: Option<Arc<BodyShare>>,
}

/// The call that the edge made of a request, out of the request's extensions: for handlers that are not axum's.
pub fn call_of(extensions: &Extensions) -> Option<Call> {
    extensions.get::<RequestContext>().map(|context| context.call.clone())
}

pub(crate) fn context(parts: &Parts) -> Result<&RequestContext, Problem> {
    parts.extensions.get().ok_or_else(|| Problem::internal("the request did not come through the edge"))
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        context(parts).map(|context| Self(context.call.clone()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        context(parts).map(|context| Self(context.client))
    }
}
