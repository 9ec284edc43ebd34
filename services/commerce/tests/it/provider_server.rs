//! A provider of payments on a socket: a real server that answers as the test says.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status and a body.
    Text(u16, String),
    /// None.
    Silence,
    /// None: the connection is closed.
    HangUp,
}

pub(crate) struct ProviderServer {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    received: Vec<Received>,
    replies: VecDeque<Reply>,
}

impl ProviderServer {
    /// A server that gives the prepared replies one after the other, and 500 if there are none left.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    /// The same at an address.
    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let of_server = shared.clone();
        pando_telemetry::spawn("test.provider", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = of_server.clone();
                let service = service_fn(move |request| answer(request, shared.clone()));
                pando_telemetry::spawn("test.provided", async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Prepares the next reply.
    pub(crate) fn replies(&self, reply: Reply) {
        self.shared.lock().unwrap().replies.push_back(reply);
    }

    /// Prepares the next reply: a status and JSON.
    pub(crate) fn says(&self, status: u16, body: &Value) {
        self.replies(Reply::Text(status, body.to_string()));
    }

    /// The requests since the last time.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.shared.lock().unwrap().received)
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Mutex<Shared>>,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let path = parts.uri.to_string();
    let received = Received { method: parts.method, path, headers: parts.headers, body };
    let reply = {
        let mut shared = shared.lock().unwrap();
        shared.received.push(received);
        shared.replies.pop_front().unwrap_or(Reply::Text(500, String::new()))
    };
    match reply {
        Reply::Text(status, text) => {
            Ok(Response::builder().status(status).body(Full::new(Bytes::from(text))).unwrap())
        }
        Reply::Silence => std::future::pending().await,
        Reply::HangUp => Err(io::Error::other("the test hangs up")),
    }
}
