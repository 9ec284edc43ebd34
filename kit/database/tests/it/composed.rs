//! The limits on composed statements, on the rows that a read collects, and on streams.

use pando_database::testing::{TestDatabase, each_engine};
use pando_database::{ComposedQuery, DatabaseError, Query, params};

use crate::call;

/// The sum of thirteen numbers. Each value of `parts` makes another statement, because it selects other pieces.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_with_the_commit_is_committed_however_many_rows_it_returns() {
    const CREATE: Query = Query::write("create", "create table leaves (id bigint primary key)");
    const GROW: Query = Query::write("grow", "insert into leaves (id) values (1), (2), (3) returning id");
    const COUNT: Query = Query::point("count", "select count(*) from leaves");
    for mut test in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        test.options.statements.rows_max = 1;
        let database = test.open().await;
        let mut tx = database.transaction(&call()).await.unwrap();
        tx.execute(&CREATE, []).await.unwrap();
        tx.execute_later(&GROW, []);
        tx.commit().await.unwrap();
        let row = database.read(&call()).row(&COUNT, []).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 3);
        let tx = database.transaction(&call()).await.unwrap();
        let more = Query::write("more", "insert into leaves (id) values (4), (5) returning id");
        assert_eq!(tx.rows_and_commit(&more, []).await.unwrap().0.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_fails_in_the_middle_never_looks_complete() {
    each_engine(async |database| {
        for round in 0..20 {
            let mut failing = ComposedQuery::scan("failing");
            failing.push(
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200) select ",
                [],
            );
            failing.push_per_engine("1 / (i - 150)", "json(case when i = 150 then '{' else '{}' end)", []);
            failing.push(" from n", []);
            let call = call();
            let read = database.read(&call);
            let mut rows = read.stream(&failing, usize::MAX).await.unwrap();
            let mut taken = 0;
            let end = loop {
                match rows.next().await {
                    Ok(Some(_)) => taken += 1,
                    end => break end,
                }
                // A slow reader: the engine is as far ahead as it may be.
                for _ in 0..round {
                    tokio::task::yield_now().await;
                }
            };
            assert!(end.is_err(), "it ended after {taken} rows");
            assert_eq!(taken, 149);
        }
        // A statement that is refused before it is sent keeps its connection usable.
        let mut refused = ComposedQuery::scan("refused");
        refused.push("select cast($1 as text)", params!["a\0b"]);
        let call = call();
        for _ in 0..50 {
            let refused = database.read(&call).stream(&refused, 1).await.map(drop);
            assert!(matches!(refused, Err(DatabaseError::BadParameter { .. })), "{refused:?}");
        }
    })
    .await;
}
