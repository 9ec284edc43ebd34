//! What is kept of composed statements, and how much a read may collect.

use pando_database::testing::{TestDatabase, each_engine};
use pando_database::{ComposedQuery, DatabaseError, Query, params};

use crate::call;

/// Each is another statement, because pieces are told apart by where they lie and how often they come.
fn sum(parts: usize) -> ComposedQuery {
    let mut query = ComposedQuery::point("sum");
    query.push("select cast($1 as bigint)", params![1]);
    for bit in 0..12 {
        query.push(if parts & 1 << bit > 0 { " + 2" } else { " + 1" }, []);
    }
    query
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn composed_statements_make_room_for_others_also_at_the_server() {
    const PREPARED: Query = Query::point(
        "prepared",
        "select count(*) from pg_prepared_statements where statement like 'select cast(%'",
    );
    let mut test = TestDatabase::postgres().await;
    test.options.reads.connections = 1;
    let database = test.open().await;
    let (call, mut most) = (call(), 0);
    for parts in 0..1_000 {
        let rows = database.read(&call).composed(&sum(parts)).await.unwrap();
        let expected = 13 + i64::from(parts.count_ones());
        assert_eq!(rows[0].get::<i64>(0).unwrap(), expected);
        if parts % 100 == 99 {
            let row = database.read(&call).row(&PREPARED, []).await.unwrap().unwrap();
            most = most.max(row.get::<i64>(0).unwrap());
        }
    }
    assert!((200..=256).contains(&most), "the server holds {most} of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_collects_no_more_rows_than_it_may() {
    const MANY: &str =
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select i from n";
    for mut test in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        test.options.statements.rows_max = 10;
        let database = test.open().await;
        for query in [Query::point("many", MANY), Query::scan("many", MANY)] {
            let refused = database.read(&call()).rows(&query, []).await.unwrap_err();
            assert!(matches!(refused, DatabaseError::TooManyRows { name: "many", limit: 10 }), "{refused}");
        }
        let mut tx = database.transaction(&call()).await.unwrap();
        assert!(tx.rows(&Query::scan("many", MANY), []).await.is_err());
        drop(tx);
        let few = Query::scan(
            "few",
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10) select i from n",
        );
        assert_eq!(database.read(&call()).rows(&few, []).await.unwrap().len(), 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_takes_ends_at_its_deadline() {
    each_engine(async |database| {
        let mut endless = ComposedQuery::scan("endless");
        endless.push("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n", []);
        let call = pando_resilience::Call::internal("test", std::time::Duration::from_millis(300));
        let read = database.read(&call);
        let mut rows = read.stream(&endless, usize::MAX).await.unwrap();
        let late = loop {
            match rows.next().await {
                Ok(Some(_)) => tokio::task::yield_now().await,
                Ok(None) => panic!("it has no end"),
                Err(error) => break error,
            }
        };
        assert!(matches!(late, DatabaseError::DeadlineExceeded), "{late}");
    })
    .await;
}
