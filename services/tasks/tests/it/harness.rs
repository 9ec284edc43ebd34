//! The service behind a real server, with a worker, on one engine.

use std::ops::Deref;

use pando_clock::Clock;
use pando_database::Database;
use pando_queue::{Queue, QueueOptions, QueueParts, Registry, Worker};
use pando_service::testing::{self, TestHouse, TestServer};
use pando_tasks::{Tasks, TasksOptions, open};
use pando_telemetry::Metrics;
use serde_json::Value;

pub(crate) use pando_service::testing::Answer;

/// A house with one server.
pub(crate) struct House {
    pub(crate) database: Database,
    pub(crate) queue: Queue,
    pub(crate) tasks: Tasks,
    pub(crate) registry: Registry,
    server: TestServer,
}

/// Requests go to the server.
impl Deref for House {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
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
    testing::each_house(&[], Clock::system, async |house| {
        test(&House::start(house, options.clone())).await;
    })
    .await;
}

impl House {
    fn start(TestHouse { parts, .. }: TestHouse, options: TasksOptions) -> Self {
        let mut registry = Registry::default();
        let service = open(&parts, options.clone(), &mut registry).unwrap();
        let tasks = Tasks::new(&parts, registry.clone(), options).unwrap();
        let server = TestServer::start(&parts, service);
        Self { database: parts.database, queue: parts.queue, tasks, registry, server }
    }

    /// The same queue, by another clock.
    pub(crate) fn queue_with(&self, clock: Clock) -> Queue {
        let parts = QueueParts { database: self.database.clone(), clock, metrics: Metrics::new() };
        Queue::new(parts, QueueOptions::default()).unwrap()
    }

    pub(crate) fn worker(&self) -> Worker {
        Worker::start(&self.queue, self.registry.clone())
    }

    pub(crate) async fn create(&self, body: &Value) -> Answer {
        self.post("/api/v1/tasks/delayed", body).await
    }
}
