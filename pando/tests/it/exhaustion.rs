//! A pool of one and somebody who holds what everybody needs: the others are told, nothing hangs, and it goes on.

use std::thread;
use std::time::Duration;

use pando_clock::Clock;
use pando_database::{Database, DatabaseOptions, Query, Secret, params};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use serde_json::json;

use crate::client::{Client, Reply};
use crate::engines::Place;

const CLIENTS: usize = 64;
const API: &str = "/api/v1/profiles";

static LOCK_EVERYTHING: Query =
    Query::write("lock_everything", "lock table profiles in access exclusive mode");
static NOTHING: Query = Query::write("nothing", "update profiles set version = version where version < 0");

#[test]
fn with_a_pool_of_one_and_a_blocked_statement_waiters_get_503_and_nothing_hangs() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for place in Place::both() {
        let running = place.start(&[("PANDO_DATABASE__POOL__MAX", "1"), ("PANDO_DATABASE__POOL__MIN", "1")]);
        let call = Call::internal("test", Duration::from_secs(60));
        // Another process has the table (on SQLite: the file) and does not let go.
        let holder = runtime.block_on(hold(&place, &call));

        let replies: Vec<Reply> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let address = running.address;
                    scope.spawn(move || {
                        let body = json!({"name": "Waiter", "email": format!("waiter{number}@example.org")});
                        Client::connect(address).unwrap().json("POST", API, &body).unwrap()
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });

        let refused = replies.iter().filter(|reply| reply.status == 503).count();
        let late = replies.iter().filter(|reply| reply.status == 504).count();
        assert_eq!(refused + late, CLIENTS, "{}: {replies:#?}", place.name);
        assert!(refused >= CLIENTS - 4, "{}: {refused} refused, {late} late", place.name);
        let told = replies.iter().filter(|reply| reply.status == 503);
        assert!(told.clone().all(|reply| reply.header("retry-after").is_some()));
        assert!(told.clone().all(|reply| reply.value()["code"] == "unavailable"));

        let mut client = Client::connect(running.address).unwrap();
        assert_eq!(client.get("/health/live").unwrap().status, 200);
        let metrics = client.get("/metrics").unwrap().body;
        assert!(metric(&metrics, "db_wait_count") >= 60.0, "{}: {metrics}", place.name);
        assert!(metric(&metrics, "db_wait_seconds_sum") >= 60.0, "{}: {metrics}", place.name);

        runtime.block_on(holder.rollback()).unwrap();
        let body = json!({"name": "After", "email": "after@example.org"});
        assert_eq!(client.json("POST", API, &body).unwrap().status, 201, "{}", place.name);
        let listed = client.get(&format!("{API}?count=exact")).unwrap();
        assert_eq!(listed.header("x-total-count"), Some("1"), "{}: no refused write happened", place.name);
    }
}

/// Takes the table, or on SQLite the file, away from everybody else.
pub(crate) async fn hold(place: &Place, call: &Call) -> pando_database::Transaction {
    let mut options = DatabaseOptions::default();
    options.sqlite.path = place.folder().join("pando.db");
    options.url = place.url().map(Secret::new);
    let database = Database::open(&options, &Metrics::new(), &Clock::system()).await.unwrap();
    let mut holder = database.transaction(call).await.unwrap();
    let lock = if place.url().is_some() { &LOCK_EVERYTHING } else { &NOTHING };
    holder.execute(lock, params![]).await.unwrap();
    holder
}

/// The value of a metric without labels.
fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok()).unwrap_or(0.0)
}
