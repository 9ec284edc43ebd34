//! Tests of the query plans of the statements that run all the time, beside many jobs that ended long ago: each
//! statement uses an index that contains only the rows it needs.

use pando_clock::Clock;
use pando_database::testing::TestDatabase;
use pando_database::{BulkInsert, ColumnType, Database, Engine, OnConflict, Query, Value, params};
use pando_resilience::Call;
use serde_json::json;

use super::{claim, enqueue, lanes, upkeep};
use crate::MIGRATIONS;

/// Many times more than wait: enough that PostgreSQL would rather read an index than the table.
const ENDED: usize = 20_000;
const WAITING: usize = 200;

static ROWS: BulkInsert = BulkInsert {
    name: "plans.rows",
    table: "queue_jobs",
    columns: &[
        ("id", ColumnType::Uuid),
        ("queue", ColumnType::Text),
        ("kind", ColumnType::Text),
        ("payload", ColumnType::Json),
        ("priority", ColumnType::Smallint),
        ("state", ColumnType::Text),
        ("run_at", ColumnType::Timestamp),
        ("created_at", ColumnType::Timestamp),
        ("ended_at", ColumnType::Timestamp),
        ("attempts", ColumnType::Integer),
        ("attempts_max", ColumnType::Integer),
        ("cancel_requested", ColumnType::Boolean),
        ("rate_granted", ColumnType::Boolean),
        ("lane", ColumnType::Text),
        ("lane_number", ColumnType::Bigint),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};
static ANALYZE: Query = Query::write("plans.analyze", "analyze queue_jobs");

fn call() -> Call {
    Call::internal("plans", std::time::Duration::from_secs(60))
}

async fn filled(test: &TestDatabase) -> Database {
    let (database, clock) = (test.open().await, Clock::system());
    database.migrate(&[MIGRATIONS]).await.unwrap();
    let now = clock.now();
    let mut rows = Vec::new();
    for (state, count, lane) in [
        ("completed", ENDED, None),
        ("dead", WAITING, None),
        ("pending", WAITING, None),
        ("scheduled", WAITING, None),
        ("running", WAITING, None),
        ("behind", WAITING, Some("one")),
    ] {
        for number in 0..count {
            let ended = matches!(state, "completed" | "dead").then_some(now);
            let number = i64::try_from(number).unwrap();
            let values = params![
                clock.fresh_id(),
                "default",
                "note",
                json!({}),
                5,
                state,
                now,
                now,
                ended,
                0,
                25,
                false,
                false,
                lane,
                lane.map(|_| number)
            ];
            rows.push(Vec::from(values));
        }
    }
    let mut tx = database.transaction(&call()).await.unwrap();
    tx.bulk_insert(&ROWS, rows).await.unwrap();
    tx.execute(&ANALYZE, []).await.unwrap();
    tx.commit().await.unwrap();
    database
}

/// How the engine would go about it, in its own words.
async fn plan(database: &Database, query: &Query, values: &[Value]) -> String {
    let (explain, column) = match database.engine() {
        Engine::Postgres => ("explain", 0),
        Engine::Sqlite => ("explain query plan", 3),
    };
    let text = format!("{explain} {}", query.text());
    // A statement is written once and for all: this one too, for as long as the test runs.
    let query = Query::scan("plans.explain", Box::leak(text.into_boxed_str()));
    // In a transaction: it may be the plan of a write.
    let mut tx = database.transaction(&call()).await.unwrap();
    let rows = tx.rows(&query, values).await.unwrap();
    rows.iter().map(|row| row.get::<String>(column).unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_all_the_time_never_looks_at_what_has_ended() {
    for test in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let database = filled(&test).await;
        let engine = database.engine();
        let clock = Clock::system();
        let claimed = claim::text(engine);
        let kinds = vec!["note".to_owned()];
        let claims = params!["default", clock.fresh_id(), clock.now(), clock.now(), kinds, 16_i64];
        for (query, values, indexes) in [
            (
                &enqueue::WAITING,
                params!["default", 1_000_i64].to_vec(),
                vec!["pending", "scheduled", "behind"],
            ),
            (&upkeep::COUNTS, Vec::new(), vec!["pending", "scheduled", "behind", "running", "dead"]),
            (&lanes::STANDING_STILL, params!["default", 500_i64].to_vec(), vec!["behind"]),
            (claimed, claims.to_vec(), vec!["pending"]),
        ] {
            let plan = plan(&database, query, &values).await;
            for index in indexes {
                assert!(
                    plan.contains(&format!("queue_jobs_{index}")),
                    "{} {engine}: {index} in\n{plan}",
                    query.name()
                );
            }
            let scans = ["Seq Scan on queue_jobs", "SCAN queue_jobs\n", "queue_jobs_ended"];
            for scan in scans {
                assert!(!format!("{plan}\n").contains(scan), "{} {engine}: {scan} in\n{plan}", query.name());
            }
        }
    }
}
