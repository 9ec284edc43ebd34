//! The suite that every engine passes, with every way of running statements.

use pando_database::Synchronous;
use pando_database::conformance::exercise;
use pando_database::testing::{TestDatabase, each_engine, each_test_database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_keep_every_promise() {
    each_engine(async |database| exercise(&database).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_keep_every_promise_with_the_optimisations_off() {
    each_test_database(async |test: &mut TestDatabase| {
        test.options.reads.coalesce = false;
        test.options.statements.prepare = false;
        test.options.statements.together = false;
        test.options.sqlite.group_commit_max = 1;
        exercise(&test.open().await).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn sqlite_keeps_every_promise_on_one_thread_without_waiting_for_the_disk() {
    let mut test = TestDatabase::sqlite();
    test.options.sqlite.synchronous = Synchronous::Normal;
    test.options.sqlite.readers = 1;
    exercise(&test.open().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_keeps_every_promise_without_prepared_statements() {
    let mut test = TestDatabase::postgres().await;
    test.options.statements.prepare = false;
    exercise(&test.open().await).await.unwrap();
}
