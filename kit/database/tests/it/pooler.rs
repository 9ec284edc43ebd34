//! Behind a real PgBouncer in transaction mode.

use futures_util::future::join_all;
use pando_database::conformance::exercise;
use pando_database::testing::{TestDatabase, TestPooler, TestPostgres};
use pando_database::{Database, DatabaseError, Query};

use crate::{call, create_notes, insert, outages};

/// What a connection of the server was told; slow enough that many are asked at once.
const SETTINGS: Query = Query::scan(
    "settings",
    "select pg_backend_pid(), current_setting('synchronous_commit'), current_setting('default_transaction_read_only') \
     from pg_sleep(0.05)",
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_every_promise_is_kept() {
    let pooler = TestPooler::start(TestPostgres::shared());
    let test = TestDatabase::behind(&pooler, TestPostgres::shared()).await;
    exercise(&test.open().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_what_is_said_of_writes_is_true() {
    let pooler = TestPooler::start(TestPostgres::shared());
    let test = TestDatabase::behind(&pooler, TestPostgres::shared()).await;
    outages::what_is_said_of_writes_is_true(&test.open().await, &test.clock).await;
}

/// What one program sets would be found by others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_on_connections_that_others_use_next() {
    let pooler = TestPooler::start(TestPostgres::shared());
    let test = TestDatabase::behind(&pooler, TestPostgres::shared()).await;
    let database = test.open().await;
    create_notes(&database).await;
    let channel = database.channel("trial");
    for round in 0..5 {
        channel.sender().send(format!("round {round}"));
        insert(&database, test.clock.fresh_id(), round).await.unwrap();
        database.transaction_unflushed(&call()).await.unwrap().commit().await.unwrap();
        assert!(connections(&database).await >= 2, "the pooler has more than one");
    }
    // With a connection to itself a program may listen, and settings are asked for while connecting: a pooler refuses.
    let mut careless = TestDatabase::behind(&pooler, TestPostgres::shared()).await;
    careless.options.statements.prepare = true;
    careless.options.database.clone_from(&test.options.database);
    let refused = Database::open(&careless.options, &careless.metrics, &careless.clock).await.unwrap_err();
    let DatabaseError::Unavailable { reason } = refused else { panic!("{refused:?}") };
    assert!(reason.contains("database.statements.prepare"), "{reason}");
    connections(&database).await;
}

/// Asks every connection that the pooler has to the server; how many.
async fn connections(database: &Database) -> usize {
    let asked = join_all((0..10).map(async |_| {
        let row = database.read(&call()).row(&SETTINGS, []).await.unwrap().unwrap();
        assert_eq!(row.get::<String>(1).unwrap(), "on", "an acknowledged write is on the disk");
        assert_eq!(row.get::<String>(2).unwrap(), "off", "others may write");
        row.get::<i64>(0).unwrap()
    }));
    asked.await.into_iter().collect::<std::collections::HashSet<_>>().len()
}
