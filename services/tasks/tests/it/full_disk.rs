//! No room left: the caller is told so, what was accepted stays, and it goes on when there is room again.

use std::time::Duration;

use http::StatusCode;
use pando_database::{Engine, Query};
use pando_resilience::Call;
use serde_json::{Value, json};

use crate::harness::{House, each_house};

/// The file may not grow: what is left in its pages may still be used.
static SQLITE_FULL: Query = Query::write("fill", "pragma max_page_count = 1");
static SQLITE_ROOM: Query = Query::write("make_room", "pragma max_page_count = 4294967294");
/// What a server says whose disk is full, from the server itself.
static POSTGRES_FULL: [Query; 2] = [
    Query::write(
        "fill",
        "create function no_room() returns trigger language plpgsql as \
         $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$",
    ),
    Query::write(
        "fill_jobs",
        "create trigger no_room before insert on queue_jobs for each row execute function no_room()",
    ),
];
static POSTGRES_ROOM: [Query; 1] = [Query::write("make_room", "drop function no_room() cascade")];

async fn tell(house: &House, statements: &[Query]) {
    let call = Call::internal("test", Duration::from_secs(30));
    let mut tx = house.database.transaction(&call).await.unwrap();
    for statement in statements {
        tx.rows(statement, []).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// More than fits into pages that are there already.
fn large(number: u32) -> Value {
    json!({"type": "echo", "data": {"number": number, "weight": "x".repeat(60_000)}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_a_task_is_507_and_what_was_accepted_runs() {
    each_house(async |house| {
        let (full, room): (&[Query], &[Query]) = match house.database.engine() {
            Engine::Sqlite => (std::slice::from_ref(&SQLITE_FULL), std::slice::from_ref(&SQLITE_ROOM)),
            Engine::Postgres => (&POSTGRES_FULL, &POSTGRES_ROOM),
        };
        let mut accepted = Vec::new();
        for number in 0..3 {
            let created = house.create(&large(number)).await;
            assert_eq!(created.status, StatusCode::ACCEPTED);
            accepted.push(created.json()["id"].clone());
        }
        tell(house, full).await;
        for number in 3..6 {
            let refused = house.create(&large(number)).await;
            assert_eq!(refused.status, StatusCode::INSUFFICIENT_STORAGE, "{}", house.database.engine());
            assert_eq!(refused.json()["code"], "storage_full");
        }
        // Who only reads notices nothing.
        let listed = house.get("/api/v1/tasks").await.json();
        let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|task| &task["id"]).rev().collect();
        assert_eq!(ids, accepted.iter().collect::<Vec<_>>(), "what was refused was not stored");
        tell(house, room).await;
        let created = house.create(&large(6)).await;
        assert_eq!(created.status, StatusCode::ACCEPTED, "there is room again");
        accepted.push(created.json()["id"].clone());
        let worker = house.worker();
        for id in &accepted {
            let path = format!("/api/v1/tasks/{}?wait=20s", id.as_str().unwrap());
            assert_eq!(house.get(&path).await.json()["status"], "completed");
        }
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}
