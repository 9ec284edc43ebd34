//! Two processes of the service on one database.

use http::Method;
use pando_queue::Registry;
use pando_risk::{MIGRATIONS, RiskOptions, open};
use pando_service::testing::{Answer, TestHouse, TestServer, each_house, still_clock};
use serde_json::Value;

use crate::business;

/// A process of the service, and its jobs.
pub(crate) struct Process {
    pub(crate) server: TestServer,
    pub(crate) registry: Registry,
}

/// Two processes on one database.
pub(crate) struct Pair {
    pub(crate) house: TestHouse,
    pub(crate) one: Process,
    pub(crate) other: Process,
}

pub(crate) async fn each_pair(test: impl AsyncFn(Pair)) {
    each_house(&[MIGRATIONS], still_clock, async |house| {
        let process = || {
            let options = RiskOptions { sample_list: true, ..RiskOptions::default() };
            let mut registry = Registry::default();
            let service = open(&house.parts, options, &mut registry).unwrap();
            Process { server: TestServer::start(&house.parts, service), registry }
        };
        let (one, other) = (process(), process());
        test(Pair { house, one, other }).await;
    })
    .await;
}

impl Process {
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.server.ask(method, path, &[], text).await
    }

    pub(crate) async fn done(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, body).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    pub(crate) async fn assess(&self, name: &str) -> Value {
        self.done(Method::POST, "/v1/assess", &business(name)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.done(Method::GET, path, &Value::Null).await
    }
}
