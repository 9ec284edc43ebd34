//! The bodies of requests and answers.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::ClientError;

/// The body of a request: bytes, or a stream of them.
pub type RequestBody = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// The body of an answer, which may not pause for too long.
pub struct ResponseBody {
    inner: Incoming,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl ResponseBody {
    pub(crate) fn new(inner: Incoming, pause: Duration) -> Self {
        Self { inner, pause, sleep: Box::pin(tokio::time::sleep(pause)) }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            this.sleep.as_mut().reset(Instant::now() + this.pause);
            return Poll::Ready(frame.map(|frame| frame.map_err(ClientError::broken)));
        }
        this.sleep.as_mut().poll(context).map(|()| Some(Err(ClientError::late(this.pause))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
