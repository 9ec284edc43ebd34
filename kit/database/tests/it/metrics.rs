//! One count per operation, under the names that dashboards ask for.

use pando_database::testing::{TestDatabase, each_test_database};
use pando_database::{KeyedQuery, params};

use crate::{FIND, call, create_notes, insert};

const BY_ID: KeyedQuery = KeyedQuery::new("notes.by_id", "select id, number from notes where id = any($1)");

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
        let text = test.metrics.render();
        for line in [
            "db_operations_total{operation=\"notes.insert\",status=\"ok\"} 1",
            "db_operations_total{operation=\"notes.insert\",status=\"constraint\"} 1",
            "db_operations_total{operation=\"notes.find\",status=\"ok\"} 3",
            "db_operations_total{operation=\"notes.by_id\",status=\"ok\"} 1",
            "db_operation_duration_seconds_count{operation=\"notes.find\"} 3",
            "db_wait_count 0",
            "db_wait_seconds_count 0",
            "db_connections{state=\"in_use\"} 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    })
    .await;
}
