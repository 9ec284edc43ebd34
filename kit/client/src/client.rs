//! The client: a pool of connections, and four ways to send a request.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pando_resilience::Call;
use pando_tls::{Tls, Verify};

use crate::connector::Connector;
use crate::{ClientError, ClientOptions, Destination, RequestBody, ResponseBody, Target};

/// Names the request in the logs of both servers.
const REQUEST_ID: &str = "x-request-id";

/// Sends requests over HTTP/1.1, and keeps connections for the next ones. It follows no redirect: that is an answer like any
/// other. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Client {
    pool: legacy::Client<Connector, RequestBody>,
    answer: Duration,
    body_bytes_max: usize,
}

impl Client {
    /// A client for one destination.
    pub fn new(options: &ClientOptions, destination: Destination, tls: &Tls) -> Result<Self, ClientError> {
        let patience = Duration::from_millis(options.connect_ms);
        let connector = Connector::new(destination, tls.client_config(Verify::Full)?, patience);
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(options.idle_seconds))
            .pool_max_idle_per_host(options.idle_max)
            .build(connector);
        let answer = Duration::from_millis(options.answer_ms);
        Ok(Self { pool, answer, body_bytes_max: options.body_bytes_max })
    }

    /// Sends a request and collects the answer, within the deadline of the call.
    pub async fn send(&self, call: &Call, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        let began = Instant::now();
        let work = async {
            let (parts, body) = self.stream(prepared(call, request)).await?.into_parts();
            let body =
                Limited::new(body, self.body_bytes_max).collect().await.map_err(|error| match error
                    .downcast::<ClientError>(
                ) {
                    Ok(ours) => *ours,
                    Err(other) if other.is::<LengthLimitError>() => {
                        ClientError::TooLarge { bytes_max: self.body_bytes_max }
                    }
                    Err(other) => ClientError::broken(std::io::Error::other(other)),
                })?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        call.deadline.bound(work).await.unwrap_or_else(|_| Err(ClientError::late(began.elapsed())))
    }

    /// Sends a request and collects the beginning of the answer, within the deadline of the call. A body that is longer than
    /// `body_bytes_max`, or breaks off, is cut there: the status counts.
    pub async fn send_cut(
        &self,
        call: &Call,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, ClientError> {
        let began = Instant::now();
        let head = call.deadline.bound(self.stream(prepared(call, request))).await;
        let (parts, mut body) =
            head.unwrap_or_else(|_| Err(ClientError::late(began.elapsed())))?.into_parts();
        let mut beginning = BytesMut::new();
        while beginning.len() < self.body_bytes_max {
            let Ok(Some(Ok(frame))) = call.deadline.bound(body.frame()).await else { break };
            beginning.extend_from_slice(frame.data_ref().map_or(&[][..], |piece| piece));
        }
        beginning.truncate(self.body_bytes_max);
        Ok(Response::from_parts(parts, beginning.freeze()))
    }

    /// Sends a request whose answer is of interest only for its head, within the deadline of the call.
    pub async fn notify(&self, call: &Call, request: Request<Bytes>) -> Result<Parts, ClientError> {
        let began = Instant::now();
        let answer = call.deadline.bound(self.stream(prepared(call, request))).await;
        let answer = answer.unwrap_or_else(|_| Err(ClientError::late(began.elapsed())))?;
        Ok(answer.into_parts().0)
    }

    /// Sends a request as it is. The body of the answer comes piece by piece; it is neither bounded nor within a deadline, but
    /// it may not pause for longer than the head may take.
    pub async fn stream(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, ClientError> {
        let host = Target::of(request.uri())?.authority;
        let answer = tokio::time::timeout(self.answer, self.pool.request(request)).await;
        let answer = answer
            .map_err(|_| ClientError::late(self.answer))?
            .map_err(|error| ClientError::of_request(&host, error))?;
        Ok(answer.map(|body| ResponseBody::new(body, self.answer)))
    }
}

/// The request with the name of the call, unless it has one of its own.
fn prepared(call: &Call, request: Request<Bytes>) -> Request<RequestBody> {
    let mut request = request.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync());
    if let Ok(id) = HeaderValue::try_from(&*call.request_id) {
        request.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
    request
}
