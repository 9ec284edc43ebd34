//! Every connection busy: callers wait for as long as they may, are counted, and then hear so.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pando_database::conformance::ENDLESS;
use pando_database::testing::{TestDatabase, each_test_database};
use pando_database::{BulkInsert, ColumnType, Database, DatabaseError, OnConflict, Query, Value};
use pando_resilience::Call;

use crate::{INSERT, call, count, create_notes, eventually, insert};
use pando_database::params;

const CHECKOUT: Duration = Duration::from_millis(300);

fn with_one_connection(test: &mut TestDatabase) {
    test.options.pool.max = 1;
    test.options.pool.checkout_ms = 300;
    test.options.sqlite.scanners = 1;
}

async fn waiters(database: &Database, expected: usize) {
    eventually("so many wait", async || database.statistics().waiters >= expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_behind_a_long_transaction_are_told_in_time() {
    each_test_database(async |test: &mut TestDatabase| {
        with_one_connection(test);
        let database = test.open().await;
        create_notes(&database).await;
        let mut long = database.transaction(&call()).await.unwrap();
        long.execute(&INSERT, params![test.clock.fresh_id(), 1_i64]).await.unwrap();
        let before = database.statistics();
        let one = async || {
            let started = Instant::now();
            let refused = insert(&database, test.clock.fresh_id(), 1).await;
            assert!(matches!(refused, Err(DatabaseError::PoolTimeout { .. })), "{refused:?}");
            started.elapsed()
        };
        let (waited, ()) = tokio::join!(join_all((0..64).map(|_| one())), waiters(&database, 64));
        for waited in waited {
            assert!(waited >= CHECKOUT, "{waited:?}");
        }
        let after = database.statistics();
        assert_eq!((after.waiters, after.wait_count - before.wait_count), (0, 64));
        assert!(after.wait_seconds - before.wait_seconds >= 64.0 * CHECKOUT.as_secs_f64());
        long.commit().await.unwrap();
        insert(&database, test.clock.fresh_id(), 2).await.unwrap();
        assert_eq!(count(&database).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_behind_a_slow_scan_are_told_in_time() {
    each_test_database(async |test: &mut TestDatabase| {
        with_one_connection(test);
        let database = test.open().await;
        let slow = call();
        let rest = async {
            eventually("the scan runs", async || database.statistics().in_use > 0).await;
            let refusals =
                join_all((0..64).map(async |_| database.read(&call()).row(&ENDLESS, []).await)).await;
            for refused in refusals {
                assert!(matches!(refused, Err(DatabaseError::PoolTimeout { .. })), "{refused:?}");
            }
        };
        let read = database.read(&slow);
        tokio::select! {
            ended = read.row(&ENDLESS, []) => panic!("it ended: {ended:?}"),
            () = rest => {}
        }
        create_notes(&database).await;
        assert_eq!(count(&database).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_gave_up_in_the_queue_is_passed_over() {
    each_test_database(async |test: &mut TestDatabase| {
        test.options.pool.max = 1;
        let database = test.open().await;
        create_notes(&database).await;
        let mut long = database.transaction(&call()).await.unwrap();
        long.execute(&INSERT, params![test.clock.fresh_id(), 1_i64]).await.unwrap();
        let write = async |call: &Call| -> Result<(), DatabaseError> {
            // All of it in one go: what is given up must not happen later.
            let mut transaction = database.transaction(call).await?;
            transaction.execute_later(&INSERT, params![test.clock.fresh_id(), 1_i64]);
            transaction.commit().await.map(drop)
        };
        for _ in 0..5 {
            let impatient = tokio::time::timeout(Duration::from_millis(5), write(&call())).await;
            assert!(impatient.is_err());
        }
        let hurried = Call::internal("hurried", Duration::from_millis(50));
        let refused = write(&hurried).await;
        assert!(matches!(refused, Err(DatabaseError::PoolTimeout { .. })), "{refused:?}");
        drop(long);
        insert(&database, test.clock.fresh_id(), 1).await.unwrap();
        assert_eq!((database.statistics().waiters, count(&database).await), (0, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_before_it_is_sent_costs_no_connection() {
    const NAME: Query = Query::write("notes.name", "insert into notes (id, number, name) values ($1, 1, $2)");
    const NONSENSE: Query = Query::write("notes.nonsense", "insert into no_such_notes (id) values ($1)");
    const WHO: Query = Query::scan("who", "select cast(pg_backend_pid() as bigint)");
    for prepare in [true, false] {
        let mut test = TestDatabase::postgres().await;
        (test.options.pool.min, test.options.pool.max) = (1, 1);
        test.options.statements.prepare = prepare;
        let database = test.open().await;
        create_notes(&database).await;
        let who =
            async || -> i64 { database.read(&call()).row(&WHO, []).await.unwrap().unwrap().get(0).unwrap() };
        let before = who().await;
        for _ in 0..3 {
            let mut transaction = database.transaction(&call()).await.unwrap();
            transaction.execute_later(&INSERT, params![test.clock.fresh_id(), 1_i64]);
            transaction.execute_later(&NAME, params![test.clock.fresh_id(), "\0"]);
            let refused = transaction.commit().await;
            assert!(matches!(refused, Err(DatabaseError::BadParameter { .. })), "{refused:?}");
            let mut transaction = database.transaction(&call()).await.unwrap();
            transaction.execute_later(&NONSENSE, params![test.clock.fresh_id()]);
            let refused = transaction.commit().await;
            assert!(matches!(refused, Err(DatabaseError::Query { .. })), "{refused:?}");
        }
        assert_eq!((count(&database).await, who().await), (0, before), "and the same connection serves on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_insert_whose_deadline_passed_does_not_keep_the_writer() {
    const MANY: BulkInsert = BulkInsert {
        name: "notes.many",
        table: "notes",
        columns: &[("id", ColumnType::Uuid), ("number", ColumnType::Bigint)],
        on_conflict: OnConflict::Fail,
        key: "id",
    };
    let test = TestDatabase::sqlite();
    let database = test.open().await;
    create_notes(&database).await;
    let rows: Vec<Vec<Value>> =
        (0..300_000_i64).map(|number| params![test.clock.fresh_id(), number].to_vec()).collect();
    let short = Call::internal("short", Duration::from_millis(200));
    let mut transaction = database.transaction(&short).await.unwrap();
    let late = transaction.bulk_insert(&MANY, rows).await;
    assert!(matches!(late, Err(DatabaseError::DeadlineExceeded)), "{late:?}");
    insert(&database, test.clock.fresh_id(), 1).await.unwrap();
    assert_eq!(count(&database).await, 1);
}

/// On shared connections nobody can stop a read at the server: those that were given up count until it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_were_given_up_have_a_bound() {
    const SLOW: Query = Query::point("slow", "select cast(pg_sleep(60) as text)");
    const QUICK: Query = Query::point("quick", "select 1");
    let mut test = TestDatabase::postgres().await;
    (test.options.reads.in_flight_max, test.options.reads.statement_timeout_ms) = (8, 5_000);
    test.options.pool.checkout_ms = 100;
    let database = test.open().await;
    let hurried = Call::internal("hurried", Duration::from_millis(200));
    let given_up = join_all((0..8).map(async |_| database.read(&hurried).row(&SLOW, []).await));
    for refused in given_up.await {
        assert!(matches!(refused, Err(DatabaseError::DeadlineExceeded)), "{refused:?}");
    }
    let refused = database.read(&call()).row(&QUICK, []).await;
    assert!(matches!(refused, Err(DatabaseError::PoolTimeout { .. })), "{refused:?}");
    eventually("there is room again", async || database.read(&call()).row(&QUICK, []).await.is_ok()).await;
}
