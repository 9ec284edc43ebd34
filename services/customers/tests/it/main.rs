//! Customers on real engines: each test runs on SQLite and on PostgreSQL, each time on an empty database.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod customers;
mod description;
mod freshness;
mod history;
mod numbers;
mod pipeline;
mod plans;
mod streams;
mod tenants;

use pando_customers::{CustomersOptions, Given, MIGRATIONS, serve};
use pando_service::Parts;
use pando_service::testing::{self, TestHouse, TestServer, still_clock};

pub(crate) use pando_customers::Customers;
pub(crate) use pando_service::testing::{call, is};

/// The service on one engine, its clock scripted, and a server for it.
pub(crate) struct House {
    pub(crate) customers: Customers,
    pub(crate) parts: Parts,
    pub(crate) server: TestServer,
    pub(crate) folder: tempfile::TempDir,
}

/// Runs a test in a fresh house on every engine.
pub(crate) async fn each_house(test: impl AsyncFn(House)) {
    each_house_with(CustomersOptions::default(), test).await;
}

/// The same with other settings.
pub(crate) async fn each_house_with(options: CustomersOptions, test: impl AsyncFn(House)) {
    testing::each_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, folder }| {
        let customers = Customers::new(&parts, &options).unwrap();
        let server = TestServer::start(&parts, serve(&customers).unwrap());
        test(House { customers, parts, server, folder }).await;
    })
    .await;
}

/// A customer of this name.
pub(crate) fn given(name: &str) -> Given {
    Given { name: name.to_owned(), email: format!("{}@example.org", name.to_lowercase()), ..Given::default() }
}
