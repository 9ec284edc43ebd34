//! Request bodies: bounded in size and patience, whole or in pieces.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::connection::Connection;
use crate::{Code, Problem};

/// The whole body as it came, up to the route's `body_bytes_max`. An extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBody(pub Bytes);

/// The body in pieces, for imports and uploads larger than memory should hold. An extractor.
///
/// Give its route [`crate::RouteLimits`] with `body_idle_ms`: a pause is then the limit, not the total time.
#[derive(Debug)]
pub struct StreamedBody(Body);

impl StreamedBody {
    /// The next piece; none at the end. 413 past the route's limit, 408 after too long a pause, 400 when cut short.
    pub async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        loop {
            match self.0.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    Err(_trailers) => continue,
                },
                Err(error) => return Some(Err(body_problem(&error))),
            }
        }
    }

    /// The body itself, for readers that take any [`http_body::Body`].
    pub fn into_inner(self) -> Body {
        self.0
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
        Ok(Self(request.into_body()))
    }
}

pub(crate) async fn read_body(request: Request) -> Result<Bytes, Problem> {
    match request.into_body().collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(body_problem(&error)),
    }
}

/// What a failed read of a body means to the caller: 413, 408 or 400.
pub fn body_problem(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return Problem::new(Code::TooLarge, "the body is larger than this route takes");
        }
        if error.is::<BodyStalled>() {
            return body_too_slow();
        }
        cause = error.source();
    }
    Problem::malformed("the body ended early or is badly framed")
}

pub(crate) fn body_too_slow() -> Problem {
    Problem::new(Code::RequestTimeout, "the body did not arrive in time")
}

/// No piece of the body came for longer than its route allows.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body stalled")]
struct BodyStalled;

/// A request body that ends with an error when it is too large or pauses too long.
pub(crate) struct BoundedBody {
    inner: Limited<Incoming>,
    patience: Option<Patience>,
    /// Set while the reader waits for the client: a deadline that passes then is the client's fault.
    waiting: Arc<AtomicBool>,
    connection: Arc<Connection>,
}

impl BoundedBody {
    pub(crate) fn new(
        inner: Incoming,
        bytes_max: u64,
        idle: Option<Duration>,
        waiting: Arc<AtomicBool>,
        connection: Arc<Connection>,
    ) -> Self {
        let inner = Limited::new(inner, usize::try_from(bytes_max).unwrap_or(usize::MAX));
        Self { inner, patience: idle.map(Patience::new), waiting, connection }
    }
}

/// How long the client may keep us waiting for a piece. It counts from the first look that found nothing: while the
/// handler is busy elsewhere, it is the client who waits for us.
struct Patience {
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Patience {
    fn new(pause: Duration) -> Self {
        Self { pause, sleep: Box::pin(tokio::time::sleep(pause)), waiting: false }
    }

    /// There is nothing to read: ready when that has been so for too long.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.waiting {
            self.waiting = true;
            self.sleep.as_mut().reset(Instant::now() + self.pause);
        }
        self.sleep.as_mut().poll(cx)
    }

    /// A piece came.
    fn renew(&mut self) {
        self.waiting = false;
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
            this.waiting.store(true, Ordering::Relaxed);
            if let Some(patience) = &mut this.patience {
                ready!(patience.poll_end(cx));
                return Poll::Ready(Some(Err(BodyStalled.into())));
            }
            return Poll::Pending;
        };
        this.waiting.store(false, Ordering::Relaxed);
        if let Some(patience) = &mut this.patience {
            patience.renew();
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
        // The client may still be sending: closing at once would reset the connection under our answer.
        if !self.inner.is_end_stream() {
            self.connection.linger_at_close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_waiting_for_the_client_is_timed() {
        let pause = Duration::from_millis(100);
        let mut patience = Patience::new(pause);
        for _ in 0..3 {
            // The handler is busy for much longer than the client may be, and finds nothing when it is back.
            tokio::time::advance(pause * 10).await;
            assert!(futures_util::poll!(std::future::poll_fn(|cx| patience.poll_end(cx))).is_pending());
            tokio::time::advance(pause / 2).await;
            assert!(futures_util::poll!(std::future::poll_fn(|cx| patience.poll_end(cx))).is_pending());
            patience.renew();
        }
        let began = Instant::now();
        std::future::poll_fn(|cx| patience.poll_end(cx)).await;
        assert_eq!(began.elapsed(), pause, "a client that sends nothing has one pause, from here on");
    }
}
