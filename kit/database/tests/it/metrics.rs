//! One count per operation, under the names that dashboards ask for.

use std::time::Duration;

use pando_database::testing::{TestDatabase, each_test_database};
use pando_database::{DatabaseError, KeyedQuery, Query, params};
use pando_resilience::Call;

use crate::{FIND, INSERT, call, create_notes, eventually, insert};

const BY_ID: KeyedQuery = KeyedQuery::new("notes.by_id", "select id, number from notes where id = any($1)");
/// Its end never comes, on both engines.
const NEVER: Query = Query::write(
    "never",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) select count(*) from n",
);

#[tokio::test]
async fn every_operation_is_counted_once_by_name_and_outcome() {
    each_test_database(async |test: &mut TestDatabase| {
        let database = test.open().await;
        create_notes(&database).await;
        let id = test.clock.fresh_id();
        insert(&database, id, 7).await.unwrap();
        assert!(insert(&database, id, 7).await.is_err());
        let call = call();
        for _ in 0..3 {
            database.read(&call).row(&FIND, params![id]).await.unwrap().unwrap();
        }
        database.read(&call).by_key(&BY_ID, id).await.unwrap().unwrap();
        let idle = "db_connections{state=\"in_use\"} 0";
        // Given back a moment after the answer.
        eventually(idle, async || test.metrics.render().contains(idle)).await;
        let text = test.metrics.render();
        for line in [
            "db_operations_total{operation=\"notes.insert\",status=\"ok\"} 1",
            "db_operations_total{operation=\"notes.insert\",status=\"constraint\"} 1",
            "db_operations_total{operation=\"notes.find\",status=\"ok\"} 3",
            "db_operations_total{operation=\"notes.by_id\",status=\"ok\"} 1",
            "db_operation_duration_seconds_count{operation=\"notes.find\"} 3",
            "db_wait_count 0",
            "db_wait_seconds_count 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_its_deadline_stops_is_counted_wherever_it_travels() {
    each_test_database(async |test: &mut TestDatabase| {
        let database = test.open().await;
        create_notes(&database).await;
        for with_the_commit in [true, false] {
            let short = Call::internal("short", Duration::from_millis(300));
            let mut transaction = database.transaction(&short).await.unwrap();
            transaction.execute_later(&NEVER, []);
            let refused = match with_the_commit {
                true => transaction.commit().await.map(drop),
                false => transaction.execute(&INSERT, params![test.clock.fresh_id(), 1_i64]).await.map(drop),
            };
            assert!(refused.is_err());
        }
        let counted = "db_operations_total{operation=\"never\",status=\"deadline\"} 2";
        // SQLite's writer may be a moment later than who waits.
        eventually(counted, async || test.metrics.render().contains(counted)).await;
    })
    .await;
}

#[tokio::test]
async fn databases_that_share_their_metrics_are_added_up() {
    let (one, mut two) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    two.metrics = one.metrics.clone();
    let open = |text: &str| -> usize {
        let line =
            text.lines().find_map(|line| line.strip_prefix("db_connections{state=\"open\"} ")).unwrap();
        line.parse().unwrap()
    };
    let first = one.open().await;
    let alone = open(&one.metrics.render());
    let second = two.open().await;
    assert_eq!(open(&one.metrics.render()), 2 * alone);
    drop(second);
    assert_eq!(open(&one.metrics.render()), alone);
    drop(first);
    assert_eq!(open(&one.metrics.render()), 0);
}

#[tokio::test]
async fn errors_do_not_repeat_what_they_complain_about() {
    const NUMBER: Query = Query::point("number", "select cast($1 as bigint) + 1");
    const PATH: Query = Query::point("path", "select json_extract('{}', $1)");
    let (sqlite, postgres) = (TestDatabase::sqlite(), TestDatabase::postgres().await);
    let call = call();
    let refused = sqlite.open().await.read(&call).rows(&PATH, params!["4111 1111"]).await.unwrap_err();
    assert!(!format!("{refused:?}").contains("4111"), "{refused:?}");
    let text = Query::point("text", "select cast(cast($1 as text) as integer)");
    let refused = postgres.open().await.read(&call).rows(&text, params!["4111 1111"]).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Query { .. }), "{refused:?}");
    assert!(!format!("{refused:?}").contains("4111"), "{refused:?}");
    let refused = postgres.open().await.read(&call).rows(&NUMBER, params![i64::MAX]).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Query { .. }), "{refused:?}");
}
