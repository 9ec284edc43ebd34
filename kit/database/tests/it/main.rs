//! The database crate on real engines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod channels;
mod coalescing;
mod composed;
mod conformance;
mod encryption;
mod exhaustion;
mod files;
mod metrics;
mod migrations;
mod online;
mod outages;
mod partitions;
mod pooler;

use std::time::Duration;

use pando_database::{Database, DatabaseError, Query, params};
use pando_resilience::Call;

fn call() -> Call {
    Call::internal("test", Duration::from_secs(20))
}

/// Waits until something is so; what never becomes so is named.
async fn eventually(what: &str, so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(60);
    assert!(tokio::time::timeout(patience, waiting).await.is_ok(), "waited {patience:?} in vain: {what}");
}

const CREATE: Query = Query::write(
    "notes.create",
    "create table notes (id uuid primary key, number bigint not null, name text)",
);
const INSERT: Query = Query::write("notes.insert", "insert into notes (id, number) values ($1, $2)");
const FIND: Query = Query::point("notes.find", "select number from notes where id = $1");
const COUNT: Query = Query::scan("notes.count", "select count(*) from notes");

async fn create_notes(database: &Database) {
    let mut transaction = database.transaction(&call()).await.unwrap();
    transaction.execute(&CREATE, []).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn insert(
    database: &Database,
    id: uuid::Uuid,
    number: i64,
) -> Result<pando_database::Token, DatabaseError> {
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute(&INSERT, params![id, number]).await?;
    transaction.commit().await
}

/// The same, sent together with its commit.
async fn insert_at_once(database: &Database, id: uuid::Uuid) -> Result<pando_database::Token, DatabaseError> {
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute_later(&INSERT, params![id, 1_i64]);
    transaction.commit().await
}

async fn count(database: &Database) -> i64 {
    database.read(&call()).row(&COUNT, []).await.unwrap().unwrap().get(0).unwrap()
}
