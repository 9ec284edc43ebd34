//! The house that the tests of services share: the parts of a process on each engine, and a server to send requests to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use pando_clock::Clock;
use pando_database::testing::each_engine;
use pando_database::{Database, MigrationSet};
use pando_http::{App, HttpOptions, Server};
use pando_resilience::Call;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::{Class, Fault, Parts, Service};

/// Longer than an answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The parts of a process, on an empty database with all tables.
pub struct TestHouse {
    /// The parts.
    pub parts: Parts,
    /// Where its files are.
    pub folder: TempDir,
}

/// A server of a service, which ends with the test.
#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its content.
    pub body: Bytes,
}

/// Runs a test on every engine, each time in a fresh house with the tables of a service.
///
/// # Panics
/// When the house cannot be opened, and wherever the test does.
pub async fn each_house(tables: &[MigrationSet], clock: impl Fn() -> Clock, test: impl AsyncFn(TestHouse)) {
    each_engine(async |database: Database| {
        let kit = [pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS, pando_audit::MIGRATIONS];
        database.migrate(&[tables, &kit].concat()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts::with_defaults(&database, &folder.path().join("objects"), &clock()).await.unwrap();
        test(TestHouse { parts, folder }).await;
    })
    .await;
}

/// A clock that stands still until the test moves it on.
///
pub fn still_clock() -> Clock {
    Clock::scripted("2026-01-01T00:00:00Z".parse().unwrap())
}

/// A call with enough time for a busy machine.
pub fn call() -> Call {
    Call::internal("test", PATIENCE).by("tester")
}

/// Whether an operation was refused with a fault of this class.
pub fn is<T>(done: &Result<T, Fault>, class: Class) -> bool {
    done.as_ref().is_err_and(|fault| fault.class() == class)
}

impl TestServer {
    /// Serves the routes of a service, those for operators too.
    ///
    /// # Panics
    /// When it cannot.
    pub fn start(parts: &Parts, service: Service) -> Self {
        let routes = service.routes.into_iter().chain(service.operator_routes);
        let app = routes.fold(App::new("Test", "1"), App::serve);
        let mut options = HttpOptions { drain_delay_ms: 0, ..HttpOptions::default() };
        options.listen.set_port(0);
        let server = Server::bind(&options, app, &parts.metrics, &parts.clock).unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        pando_telemetry::spawn("test.server", server.run(async { drop(stopped.await) }));
        Self { address, _stop: stop }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request on a connection of its own; the body of the answer is still to be read. A body is JSON unless the
    /// headers say otherwise.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        pando_telemetry::spawn("test.client", async move { drop(connection.await) });
        let (mut request, body) = (
            Request::builder().method(method).uri(path).header("host", "test"),
            Bytes::copy_from_slice(body.as_ref()),
        );
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = sender.send_request(request.body(Full::new(body)).unwrap());
        tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap()
    }

    /// Sends a request and reads the answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let (head, body) = self.open(method, path, headers, body).await.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
        Answer { status: head.status, headers: head.headers, body: body.to_bytes() }
    }

    /// Reads a path.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    /// Posts JSON.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, &[], body.to_string()).await
    }
}

impl Answer {
    /// Its content as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
