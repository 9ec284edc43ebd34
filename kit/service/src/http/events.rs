//! Server-sent events: the headers, the framing, and the signs of life of a quiet stream.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt as _, unfold};
use http::{HeaderValue, header};
use serde::Serialize;

use crate::Fault;

/// How often a quiet stream sends a comment, so that no proxy on the way closes it, and a client that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A part of a stream of events, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEvent(Bytes);

impl ServerEvent {
    /// An event of this kind, with data in JSON. A client that connects again sends the id as `Last-Event-ID`.
    pub fn new(id: &str, kind: &str, data: &impl Serialize) -> Result<Self, Fault> {
        // JSON has no line ends but escaped ones.
        let data = serde_json::to_string(data)?;
        Ok(Self(format!("id: {id}\nevent: {kind}\ndata: {data}\n\n").into()))
    }

    /// Only an id: browsers report no event, and send this id when they connect again.
    pub fn id(id: &str) -> Self {
        Self(format!("id: {id}\n\n").into())
    }

    /// A line for people who read the stream; clients skip it.
    pub fn comment(text: &str) -> Self {
        Self(format!(": {}\n\n", text.replace(['\r', '\n'], " ")).into())
    }
}

/// The answer that sends these events as they come, and a comment now and then while none come. A fault breaks the connection
/// off, because it is too late for a status.
pub fn event_stream(events: impl Stream<Item = Result<ServerEvent, Fault>> + Send + 'static) -> Response {
    let lines = unfold(Box::pin(events), |mut events| async {
        let next = match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Ok(next) => next?.map(|event| event.0),
            Err(_quiet) => Ok(Bytes::from_static(b":\n\n")),
        };
        Some((next, events))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(lines)).into_response()
}
