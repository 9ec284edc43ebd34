//! A receiver of events: a real server that answers as the test says.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// The answer to a request: a status and a body. None leaves the request without an answer.
type Answering = Box<dyn FnMut(&Received) -> Option<(u16, String)> + Send>;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    answering: Arc<Mutex<Answering>>,
}

impl Receiver {
    /// A receiver that answers 200.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let answering: Answering = Box::new(|_| Some((200, "thanks".to_owned())));
        let answering = Arc::new(Mutex::new(answering));
        let shared = (received.clone(), answering.clone());
        pando_telemetry::spawn("test.receiver", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (received, answering) = shared.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let (received, answering) = (received.clone(), answering.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let one = Received { headers: parts.headers, body };
                        let answer = answering.lock().unwrap()(&one);
                        received.lock().unwrap().push(one);
                        let Some((status, text)) = answer else { return std::future::pending().await };
                        let answer = Response::builder().status(status).body(Full::new(Bytes::from(text)));
                        Ok::<_, Infallible>(answer.unwrap())
                    }
                });
                pando_telemetry::spawn("test.received", async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, received, answering }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers like this from now on.
    pub(crate) fn answer(&self, answering: impl FnMut(&Received) -> Option<(u16, String)> + Send + 'static) {
        *self.answering.lock().unwrap() = Box::new(answering);
    }

    /// Answers with a status from now on.
    pub(crate) fn answer_with(&self, status: u16) {
        self.answer(move |_| Some((status, format!("a {status}"))));
    }

    /// The requests since the last time.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The tree that the event is about.
    pub(crate) fn tree(&self) -> String {
        self.json()["data"]["id"].as_str().unwrap().to_owned()
    }
}
