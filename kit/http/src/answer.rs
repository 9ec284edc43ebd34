//! The body of an answer on its way out: reports a body that breaks off, and sends it in pieces over HTTP/2.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http::Version;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::connection::{Busy, Progress};
use crate::edge_state::Edge;
use crate::routes::{MethodIndex, RouteIndex};

/// How much an HTTP/2 stream gets at once. A stream keeps its bytes until the client allows it to send, and pieces of the size
/// of a frame show which streams make progress.
const PIECE: usize = 16 * 1024;

/// The body of an answer; the connection counts as busy until it is written or dropped.
pub(crate) struct EdgeBody {
    content: Content,
    busy: Busy,
}

enum Content {
    /// In memory, for HTTP/1: it cannot break off.
    Whole(Bytes),
    Streamed(Streamed),
}

struct Streamed {
    inner: Body,
    /// Taken from the inner body, not yet handed out. Always empty for HTTP/1.
    rest: Bytes,
    progress: Option<Arc<Progress>>,
    origin: Origin,
}

/// Whose answer it is, for the log.
pub(crate) struct Origin {
    pub(crate) edge: Arc<Edge>,
    pub(crate) request_id: Arc<str>,
    pub(crate) route: Option<RouteIndex>,
    pub(crate) method: MethodIndex,
}

impl Origin {
    pub(crate) fn new(
        edge: &Arc<Edge>,
        request_id: &str,
        route: Option<RouteIndex>,
        method: MethodIndex,
    ) -> Self {
        Self { edge: edge.clone(), request_id: request_id.into(), route, method }
    }
}

impl EdgeBody {
    pub(crate) fn new(inner: Body, version: Version, origin: Origin, busy: Busy) -> Self {
        let progress = (version == Version::HTTP_2).then(|| busy.watch_answer());
        Self { content: Content::Streamed(Streamed { inner, rest: Bytes::new(), progress, origin }), busy }
    }

    /// An answer of one piece, over HTTP/1.
    pub(crate) fn whole(bytes: Bytes, busy: Busy) -> Self {
        Self { content: Content::Whole(bytes), busy }
    }
}

impl Streamed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(progress) = &self.progress else {
            let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
            if let Some(Err(error)) = &frame {
                self.tell_broken(error);
            }
            return Poll::Ready(frame);
        };
        if self.rest.is_empty() {
            match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Pending => {
                    progress.nothing_there();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Poll::Ready(Some(Err(error))) => {
                    self.tell_broken(&error);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
            }
        }
        progress.taken();
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }

    /// Too late for a problem: the answer began as a success. The client sees it end early.
    fn tell_broken(&self, error: &axum::Error) {
        let Origin { edge, request_id, route, method } = &self.origin;
        let route = edge.routes.entry(*route);
        route.record_aborted(*method);
        tracing::error!(
            request.id = &**request_id,
            http.method = method.name(),
            http.route = &*route.template,
            error = %error,
            "answer broke off"
        );
    }
}

impl HttpBody for EdgeBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Streamed(streamed) => streamed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Streamed(streamed) => streamed.rest.is_empty() && streamed.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Streamed(streamed) => streamed.size_hint(),
        }
    }
}

impl Drop for EdgeBody {
    fn drop(&mut self) {
        if let Content::Streamed(Streamed { progress: Some(progress), .. }) = &self.content {
            self.busy.forget_answer(progress);
        }
    }
}
