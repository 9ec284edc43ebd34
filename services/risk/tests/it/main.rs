//! Risk decisions on real engines: each test runs on SQLite and on PostgreSQL, each time on an empty database.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod advanced;
mod analytics;
mod archive;
mod assessments;
mod batch_jobs;
mod batches;
mod cases;
mod compliance;
mod lists;
mod media;
mod monitoring;
mod outlook;
mod pair;
mod replays;
mod rulesets;
mod screening;
mod tenants;

use http::Method;
use pando_database::{Query, params};
use pando_queue::Registry;
use pando_risk::{MIGRATIONS, RiskOptions, open};
use pando_service::Parts;
use pando_service::testing::{self, Answer, TestHouse, TestServer, still_clock};
use serde_json::{Value, json};

/// The service on one engine, its clock scripted, and a server for it.
pub(crate) struct House {
    pub(crate) parts: Parts,
    pub(crate) server: TestServer,
    pub(crate) registry: Registry,
    _folder: tempfile::TempDir,
}

/// Runs a test in a fresh house on every engine, with the list that comes with the program.
pub(crate) async fn each_house(test: impl AsyncFn(House)) {
    each_house_with(RiskOptions { sample_list: true, ..RiskOptions::default() }, test).await;
}

/// The same with other settings.
pub(crate) async fn each_house_with(options: RiskOptions, test: impl AsyncFn(House)) {
    testing::each_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, folder }| {
        let mut registry = Registry::default();
        let service = open(&parts, options.clone(), &mut registry).unwrap();
        let server = TestServer::start(&parts, service);
        test(House { parts, server, registry, _folder: folder }).await;
    })
    .await;
}

/// A business of this name.
pub(crate) fn business(name: &str) -> Value {
    json!({
        "business_name": name, "business_address": "1 Main Street, Springfield", "industry": "retail",
        "country": "US", "phone": "+1 (555) 123-4567", "email": "office@example.org",
        "website": "https://example.org", "metadata": {"annual_revenue": 1_000_000, "years_in_business": 7},
    })
}

impl House {
    /// Assesses a business.
    pub(crate) async fn assess(&self, business: &Value) -> Value {
        let answer = self.server.post("/v1/assess", business).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Runs every job that is due.
    pub(crate) async fn work(&self) {
        self.parts.queue.run_until_idle(&self.registry).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.server.get(path).await
    }

    /// How many events of a type were published.
    pub(crate) async fn events(&self, kind: &str) -> i64 {
        const COUNT: Query =
            Query::scan("test.count_events", "select count(*) from outbox_events where type = $1");
        let call = testing::call();
        let read = self.parts.database.read_primary(&call);
        read.row(&COUNT, params![kind]).await.unwrap().unwrap().get(0).unwrap()
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        self.server.ask(method, path, headers, body.to_string()).await
    }
}

/// The path of an assessment, or of something below it.
pub(crate) fn path(assessment: &Value, below: &str) -> String {
    format!("/api/v1/assess/{}{below}", assessment["id"].as_str().unwrap())
}
