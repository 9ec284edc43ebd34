//! The shop on real engines: each test runs on SQLite and on PostgreSQL, each time on an empty database.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod books;
mod carts;
mod categories;
mod facets;
mod inventory;
mod model;
mod orders;
mod payments;
mod products;
mod provider;
mod provider_http;
mod provider_server;
mod search;
mod stock;

use http::Method;
use pando_clock::Clock;
use pando_commerce::{Commerce, CommerceOptions, MIGRATIONS, served, verify_books};
use pando_queue::{Job, Registry};
use pando_service::Parts;
use pando_service::testing::{self, Answer, TestHouse, TestServer, still_clock};
use serde_json::{Value, json};

/// The shop on one engine, its clock scripted, and a server for it.
pub(crate) struct House {
    pub(crate) parts: Parts,
    pub(crate) commerce: Commerce,
    pub(crate) server: TestServer,
    pub(crate) clock: Clock,
    registry: Registry,
    _folder: tempfile::TempDir,
}

/// Runs a test in a fresh shop on every engine. Its provider of payments never calls back.
pub(crate) async fn each_house(test: impl AsyncFn(House)) {
    let mut options = CommerceOptions::default();
    options.payments.sandbox.callbacks = 0;
    each_house_with(&options, test).await;
}

/// The same, with these settings.
pub(crate) async fn each_house_with(options: &CommerceOptions, test: impl AsyncFn(House)) {
    testing::each_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, folder }| {
        let mut registry = Registry::default();
        let commerce = Commerce::new(&parts, options.clone(), None).unwrap();
        let service = served(&commerce, &mut registry).unwrap();
        let server = TestServer::start(&parts, service);
        let clock = parts.clock.clone();
        test(House { parts, commerce, server, clock, registry, _folder: folder }).await;
    })
    .await;
}

impl House {
    /// Adds a product with these fields besides a name, a price and a category.
    pub(crate) async fn product(&self, more: Value) -> Value {
        let mut fields = json!({"name": "Tea", "price": 29.99, "category": "Kitchen", "stockQuantity": 10});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.server.post("/api/products", &fields).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["data"].clone()
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.server.ask(method, path, &[], body).await
    }

    /// Lets go of the reservations whose time is up.
    pub(crate) async fn sweep(&self) {
        self.run("reservation_sweep").await;
    }

    /// Runs all jobs that are due.
    pub(crate) async fn work(&self) {
        self.parts.queue.run_until_idle(&self.registry).await.unwrap();
    }

    /// Runs a job of this kind.
    pub(crate) async fn run(&self, kind: &str) {
        let mut tx = self.parts.database.transaction(&testing::call()).await.unwrap();
        self.parts.queue.enqueue(&mut tx, Job::new(kind, json!({}))).await.unwrap();
        tx.commit().await.unwrap();
        self.work().await;
    }

    /// Nothing is wrong in the books.
    pub(crate) async fn books_agree(&self) {
        let mistakes = verify_books(&self.parts.database, &testing::call()).await.unwrap();
        assert_eq!(mistakes, []);
    }

    /// How many units of a product can be sold, as its page says.
    pub(crate) async fn units(&self, product: &Value) -> i64 {
        let answer = self.server.get(&path(product)).await;
        answer.json()["data"]["stockQuantity"].as_i64().unwrap()
    }
}

/// The path of a product.
pub(crate) fn path(product: &Value) -> String {
    format!("/api/products/{}", product["id"].as_str().unwrap())
}
