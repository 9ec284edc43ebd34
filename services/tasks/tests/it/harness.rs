//! The service behind a real server, with a worker, on one engine.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use pando_clock::Clock;
use pando_database::Database;
use pando_database::testing::each_engine;
use pando_http::{App, HttpOptions, Server};
use pando_queue::{Queue, QueueOptions, QueueParts, Registry, Worker};
use pando_service::Parts;
use pando_tasks::{Tasks, TasksOptions, open};
use pando_telemetry::Metrics;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// A house with one server.
pub(crate) struct House {
    pub(crate) database: Database,
    pub(crate) queue: Queue,
    pub(crate) tasks: Tasks,
    pub(crate) registry: Registry,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Runs a test on every engine.
pub(crate) async fn each_house(test: impl AsyncFn(&House)) {
    each_house_with(&open_minded(), test).await;
}

/// Settings with which servers on this machine may be called back, and tasks may sleep.
pub(crate) fn open_minded() -> TasksOptions {
    TasksOptions {
        callback_networks: vec!["127.0.0.0/8".to_owned(), "::1".to_owned()],
        sleep: true,
        ..TasksOptions::default()
    }
}

/// Runs a test on every engine, with these settings.
pub(crate) async fn each_house_with(options: &TasksOptions, test: impl AsyncFn(&House)) {
    each_engine(async |database| {
        let house = House::start(database, options.clone()).await;
        test(&house).await;
        let _ = house.stop.send(());
    })
    .await;
}

impl House {
    async fn start(database: Database, options: TasksOptions) -> Self {
        database.migrate(&[pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS]).await.unwrap();
        let (clock, metrics) = (Clock::system(), Metrics::new());
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts::with_defaults(&database, folder.path(), &clock).await.unwrap();
        let mut registry = Registry::default();
        let service = open(&parts, options.clone(), &mut registry).unwrap();
        let tasks = Tasks::new(&parts, registry.clone(), options).unwrap();
        let queue = parts.queue;
        let routes = service.routes.into_iter().chain(service.operator_routes);
        let app = routes.fold(App::new("Test", "1"), App::serve);
        let mut http = HttpOptions { drain_delay_ms: 0, ..HttpOptions::default() };
        http.listen.set_port(0);
        let server = Server::bind(&http, app, &metrics, &clock).unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        pando_telemetry::spawn("test_server", server.run(async { drop(stopped.await) }));
        Self { database, queue, tasks, registry, address, stop }
    }

    /// The same queue, by another clock.
    pub(crate) fn queue_with(&self, clock: Clock) -> Queue {
        let parts = QueueParts { database: self.database.clone(), clock, metrics: Metrics::new() };
        Queue::new(parts, QueueOptions::default()).unwrap()
    }

    pub(crate) fn worker(&self) -> Worker {
        Worker::start(&self.queue, self.registry.clone())
    }

    /// Sends a request on a connection of its own; the body is still to be read.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> http::Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        pando_telemetry::spawn("test_client", async move { drop(connection.await) });
        let mut request = Request::builder().method(method).uri(path).header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        tokio::time::timeout(Duration::from_secs(30), sender.send_request(request)).await.unwrap().unwrap()
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        let body = tokio::time::timeout(Duration::from_secs(30), body.collect()).await.unwrap().unwrap();
        Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, &[("content-type", "application/json")], &body.to_string()).await
    }

    pub(crate) async fn create(&self, body: &Value) -> Answer {
        self.post("/api/v1/tasks/delayed", body).await
    }
}
