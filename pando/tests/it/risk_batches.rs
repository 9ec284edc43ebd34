//! Batches of the real binary: a job goes on where it was killed, and no business is assessed twice.

use std::collections::BTreeSet;
use std::time::Duration;

use pando_servers::until;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;
use crate::harness::Running;

const PATIENCE: Duration = Duration::from_secs(60);
const COUNT: usize = 600;

/// The jobs of a killed process are taken back soon, and each transaction assesses few businesses.
const VARIABLES: [(&str, &str); 4] = [
    ("PANDO_RISK__BATCH_CHUNK", "20"),
    ("PANDO_QUEUE__HEARTBEAT_MS", "200"),
    ("PANDO_QUEUE__LEASE_MS", "1000"),
    ("PANDO_QUEUE__RESCUE_MS", "100"),
];

/// How often the worker is killed on each engine.
fn rounds() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 15 } else { 3 }
}

#[test]
fn prove_that_a_batch_goes_on_where_it_was_killed_and_assesses_no_business_twice() {
    for place in Place::both() {
        kill_the_worker(&place, rounds());
    }
}

fn kill_the_worker(place: &Place, times: i64) {
    let running = place.start(&VARIABLES);
    let one = |number: usize| match number % 50 {
        49 => json!({"business_name": "Nowhere"}),
        _ => json!({
            "business_name": format!("Acme {number}"), "business_address": "1 Main Street, Springfield",
            "industry": "retail", "country": "US",
        }),
    };
    let asked = json!({"requests": (0..COUNT).map(one).collect::<Vec<_>>(), "created_by": "zoe"});
    let made = connect(&running).json("POST", "/v1/assess/batch/async", &asked).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/v1/assess/batch/{}", made.value()["id"].as_str().unwrap());
    let state = |running: &Running| connect(running).get(&path).unwrap().value();
    let mut running = running;
    for round in 1..=times {
        // Between two transactions or within one: that differs each time.
        let far = 100 * round / (times + 1) - 5;
        until("the batch has come so far", PATIENCE, || state(&running)["progress"].as_i64().unwrap() >= far);
        assert_ne!(state(&running)["status"], "completed", "{}: killed too late", place.name);
        kill_process(running.pid(), Signal::KILL).unwrap();
        drop(running);
        running = place.start(&VARIABLES);
    }
    until("the batch is completed", PATIENCE, || state(&running)["status"] == "completed");
    let batch = state(&running);
    let bad = COUNT / 50;
    assert_eq!((&batch["completed"], &batch["failed"]), (&json!(COUNT - bad), &json!(bad)), "{batch}");
    let results = connect(&running).get(&format!("{path}/results?limit=1000")).unwrap().value();
    let results = results["results"].as_array().unwrap();
    let made: BTreeSet<&str> =
        results.iter().filter_map(|result| result["response"]["id"].as_str()).collect();
    assert_eq!((results.len(), made.len()), (COUNT, COUNT - bad));
    let of_name = |result: &Value| result["response"]["business_name"] == result["request"]["business_name"];
    assert!(results.iter().all(|result| result["status"] == "failed" || of_name(result)));
    let all = connect(&running).get("/v1/assess?limit=1").unwrap().value();
    assert_eq!(all["total"], json!(COUNT - bad), "{}: a business was assessed twice", place.name);
}

fn connect(running: &Running) -> Client {
    Client::connect(running.address).unwrap()
}
