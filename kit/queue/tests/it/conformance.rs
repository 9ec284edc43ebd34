//! The suite that every engine passes.

use pando_database::testing::{TestDatabase, TestPooler, TestPostgres};
use pando_queue::conformance::exercise;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_every_promise() {
    exercise(async || {
        let test = TestDatabase::sqlite();
        let database = test.open().await;
        // The folder must live as long as the database: leave it to the test process's temporary files.
        test.keep();
        database
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_keeps_every_promise() {
    exercise(async || TestDatabase::postgres().await.open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_every_promise_is_kept() {
    let pooler = TestPooler::start(TestPostgres::shared());
    exercise(async || TestDatabase::behind(&pooler, TestPostgres::shared()).await.open().await).await;
}
