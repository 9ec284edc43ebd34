//! Request bodies with limits on size and time, read whole or in pieces.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::body_budget::BodyShare;
use crate::caller::RequestContext;
use crate::connection::Connection;
use crate::pace::{Pace, PaceLimits};
use crate::{Code, Problem};

/// The whole body as it came, up to the route's `body_bytes_max`. An extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBody(pub Bytes);

/// The body in pieces, for imports and uploads larger than memory should hold. An extractor.
///
/// Give its route [`crate::RouteLimits`] with `body_idle_ms`: a pause is then the limit, not the total time.
#[derive(Debug)]
pub struct StreamedBody {
    body: Body,
    share: Option<Arc<BodyShare>>,
    kept: bool,
}

impl StreamedBody {
    /// Takes its pieces from the budget of all bodies, as they come: for a reader that keeps them all in memory.
    pub fn kept_in_memory(mut self) -> Self {
        self.kept = true;
        self
    }

    /// The next piece; none at the end. 413 past the route's limit, 408 after too long a pause, 400 when cut short.
    pub async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => {
                        let share = self.share.as_ref().filter(|_| self.kept);
                        let taken = share.map_or(Ok(()), |share| share.take(data.len() as u64));
                        return Some(taken.map(|()| data));
                    }
                    Err(_trailers) => continue,
                },
                Err(error) => return Some(Err(body_problem(&error))),
            }
        }
    }

    /// The body itself, for readers that take any [`http_body::Body`].
    pub fn into_inner(self) -> Body {
        self.body
    }
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        read_body(request).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for StreamedBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let share = share_of(&request);
        Ok(Self { body: request.into_body(), share, kept: false })
    }
}

fn share_of(request: &Request) -> Option<Arc<BodyShare>> {
    request.extensions().get::<RequestContext>().and_then(|context| context.share.clone())
}

/// The whole body, taken from the budget of all bodies as it comes.
pub(crate) async fn read_body(request: Request) -> Result<Bytes, Problem> {
    let share = share_of(&request);
    let mut body = request.into_body();
    let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| body_problem(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if let Some(share) = &share {
            share.take(data.len() as u64)?;
        }
        if announced == Some(data.len()) {
            return Ok(data);
        }
        if bytes.is_empty() {
            // Announced bytes that never arrive take no memory, because these pages are never written.
            bytes.reserve_exact(announced.unwrap_or(0));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// The answer to a failed read of a body: 413, 408 or 400.
pub fn body_problem(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return Problem::new(Code::TooLarge, "the body is larger than this route allows");
        }
        if error.is::<BodyStalled>() {
            return body_too_slow();
        }
        cause = error.source();
    }
    Problem::malformed("the body ended early, or its framing is broken")
}

pub(crate) fn body_too_slow() -> Problem {
    Problem::new(Code::RequestTimeout, "the body did not arrive in time")
}

/// No piece of the body came for longer than its route allows.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body stalled")]
struct BodyStalled;

/// A request body that ends with an error when it is too large or comes too slowly.
pub(crate) struct BoundedBody {
    inner: Limited<Incoming>,
    pace: Option<Pace>,
    /// Set while the reader waits for the client: a deadline that passes then is the client's fault.
    waiting: Arc<AtomicBool>,
    connection: Arc<Connection>,
}

impl BoundedBody {
    pub(crate) fn new(
        inner: Incoming,
        bytes_max: u64,
        pace: Option<PaceLimits>,
        waiting: Arc<AtomicBool>,
        connection: Arc<Connection>,
    ) -> Self {
        let inner = Limited::new(inner, usize::try_from(bytes_max).unwrap_or(usize::MAX));
        Self { inner, pace: pace.map(Pace::new), waiting, connection }
    }

    fn wait(&self, waiting: bool) {
        if self.waiting.swap(waiting, Ordering::Relaxed) != waiting {
            self.connection.body_waits(waiting);
        }
    }
}

impl HttpBody for BoundedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            this.wait(true);
            if let Some(pace) = &mut this.pace {
                ready!(pace.poll_end(cx));
                return Poll::Ready(Some(Err(BodyStalled.into())));
            }
            return Poll::Pending;
        };
        this.wait(false);
        if let Some(pace) = &mut this.pace
            && let Some(Ok(frame)) = &frame
            && !pace.came(frame.data_ref().map_or(0, Bytes::len))
        {
            return Poll::Ready(Some(Err(BodyStalled.into())));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for BoundedBody {
    fn drop(&mut self) {
        // The flag stays: a deadline that has just passed asks whose fault it was.
        if self.waiting.load(Ordering::Relaxed) {
            self.connection.body_waits(false);
        }
        // The client may still be sending: closing at once would reset the connection under our answer.
        if !self.inner.is_end_stream() {
            self.connection.linger_at_close();
        }
    }
}
