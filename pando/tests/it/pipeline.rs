//! kill -9 while customers are written and archived, in a store that refuses every fifth request: nothing that was committed is
//! missing from the archive, and no object ever changes.

mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use pando_clock::Clock;
use pando_database::testing::TestPostgres;
use pando_database::{Database, DatabaseOptions, Secret};
use pando_objects::{Objects, ObjectsOptions, S3Options};
use pando_queue::{Outbox, Queue, QueueOptions, QueueParts};
use pando_resilience::Call;
use pando_servers::S3;
use pando_telemetry::Metrics;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;
use crate::harness::{Running, pando};
use crate::image_crashes::HASTY;
use crate::images::in_s3;
use proxy::RefusingStore;

const API: &str = "/api/v1/customers";
const WRITERS: u64 = 8;
/// Customers that all writers change.
const SHARED: u64 = 5;
/// How many runs end at the first refusal. Each of them gets further, and the next one repeats what is refused.
const HASTY_RUNS: usize = 10;

/// Some rounds in every test run; many where the long proofs are asked for.
fn rounds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 60 } else { 4 }
}

#[test]
fn prove_that_the_archive_misses_nothing_after_kill_9_on_sqlite() {
    survive(&Place::sqlite());
}

#[test]
fn prove_that_the_archive_misses_nothing_after_kill_9_on_postgres() {
    survive(&Place::postgres(TestPostgres::shared()));
}

#[test]
fn the_place_of_the_pipeline_is_not_forgotten_by_mistake() {
    for place in Place::both() {
        let early = place.run(&["pipeline", "status"], &[]);
        assert_eq!(early.status.code(), Some(1), "there are no tables yet");
        place.printed(&["migrate"], &[]);
        assert!(place.printed(&["pipeline", "status"], &[]).starts_with("nothing has been archived yet\n"));
        place.printed(&["pipeline", "run"], &[]);
        let enabled = [("PANDO_CUSTOMERS__PIPELINE__ENABLED", "true")];
        let forget = ["queue", "forget-subscriber", "customers.pipeline"];
        assert!(!place.printed(&["queue", "subscribers"], &enabled).contains("not in use"));
        assert_eq!(place.run(&forget, &enabled).status.code(), Some(1));
        assert!(place.printed(&["queue", "subscribers"], &[]).contains("customers.pipeline: at 0 since"));
        assert!(place.printed(&forget, &[]).contains("is forgotten"));
    }
}

/// A version of a customer that the server said it had stored.
#[derive(Debug)]
struct Acknowledged {
    id: String,
    version: i64,
    name: String,
}

/// One version of a customer, as the log or the archive has it.
#[derive(Clone, Debug)]
struct Version {
    id: String,
    version: i64,
    deleted: bool,
}

/// An object of the archive: the events it stands for, and its records.
#[derive(Debug)]
struct Archived {
    from: i64,
    to: i64,
    is_ndjson: bool,
    records: Vec<Value>,
}

fn survive(place: &Place) {
    let s3 = S3::start();
    let store = RefusingStore::before(&s3.endpoint());
    let endpoint = store.endpoint();
    let mut variables = HASTY.to_vec();
    variables.extend(in_s3(&s3, &endpoint));
    variables.extend([
        // What is refused fails, and the pipeline itself must come back to it.
        ("PANDO_OBJECTS__S3__RETRIES", "0"),
        ("PANDO_CUSTOMERS__PIPELINE__BATCH_MAX", "50"),
        ("PANDO_CUSTOMERS__PIPELINE__SCHEDULE", "@every 1s"),
        // Decompression is tested elsewhere.
        ("PANDO_CUSTOMERS__PIPELINE__ZSTD_BYTES_MIN", "1000000000"),
    ]);
    let scheduled = [&variables[..], &[("PANDO_CUSTOMERS__PIPELINE__ENABLED", "true")]].concat();
    let (numbers, mut acknowledged) = (AtomicU64::new(0), Vec::new());
    for round in 0..rounds() {
        let running = place.start(&scheduled);
        // A different moment each round, the same in every run.
        let load = Duration::from_millis(700 + round * 7_919 % 1_301);
        acknowledged.extend(write_until_broken(place, &variables, &running, &numbers, load));
    }
    // The last customer comes while nobody archives, so that something is left to do.
    let running = place.start(&variables);
    let last = json!({"id": "last", "name": "Last", "email": "last@example.org"});
    assert_eq!(Client::connect(running.address).unwrap().json("POST", API, &last).unwrap().status, 201);
    running.tell(Signal::TERM);
    running.ended();
    store.refuse_all(true);
    let failed = place.run(&["pipeline", "run"], &variables);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(place.printed(&["pipeline", "status"], &variables).contains("events behind since"));
    store.refuse_all(false);
    if !(0..HASTY_RUNS).any(|_| place.run(&["pipeline", "run"], &variables).status.success()) {
        let patient = [&variables[..], &[("PANDO_OBJECTS__S3__RETRIES", "5")]].concat();
        place.printed(&["pipeline", "run"], &patient);
    }
    let again = place.printed(&["pipeline", "run"], &variables);
    assert_eq!(again, "0 customers archived, 0 objects with 0 bytes, 0 dead letters\n");
    let status = place.printed(&["pipeline", "status"], &variables);
    assert!(status.contains("has them all") && status.contains("dead letters: 0"), "{status}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let events = runtime.block_on(events(place));
    let archive = runtime.block_on(archive(&s3));
    everything_is_there(&events, &archive, &acknowledged);
    assert!(store.refused() > 0, "nothing was refused");
    for (key, bodies) in store.puts("/archive/") {
        assert_eq!(bodies.len(), 1, "{key} was written with different bytes");
    }
}

/// Customers from many connections until the server is killed, and beside it a run of the pipeline, which is killed as well;
/// what the server said it had stored.
fn write_until_broken(
    place: &Place,
    variables: &[(&str, &str)],
    running: &Running,
    numbers: &AtomicU64,
    load: Duration,
) -> Vec<Acknowledged> {
    let address = running.address;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    let Ok(mut client) = Client::connect(address) else { return acknowledged };
                    loop {
                        let number = numbers.fetch_add(1, Ordering::Relaxed);
                        if write_one(&mut client, number, &mut acknowledged).is_err() {
                            return acknowledged;
                        }
                    }
                })
            })
            .collect();
        let mut beside = run_beside(place, variables);
        thread::park_timeout(load);
        running.tell(Signal::KILL);
        // It may have ended.
        let _ = beside.kill();
        beside.wait().unwrap();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

fn run_beside(place: &Place, variables: &[(&str, &str)]) -> Child {
    let mut command = pando(place.folder());
    command.args(["pipeline", "run"]).envs(variables.iter().copied());
    command.envs(place.url().map(|url| ("DATABASE_URL", url)));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Creates, changes and deletes customers, some of them in vain.
fn write_one(client: &mut Client, number: u64, acknowledged: &mut Vec<Acknowledged>) -> std::io::Result<()> {
    let (own, shared) = (format!("c{number}"), format!("shared{}", number % SHARED));
    let customer = |id: &str| json!({"id": id, "name": format!("n{number}"), "email": "x@example.org"});
    let change = json!({"name": format!("changed{number}")});
    let mut send = |method: &str, path: &str, body: &Value, expected: &[u16]| {
        let reply = client.json(method, &format!("{API}{path}"), body)?;
        assert!(expected.contains(&reply.status) || reply.status == 503, "{method} {path}: {reply:?}");
        if matches!(reply.status, 200 | 201) && path != "/batch" {
            let stored = reply.value();
            let text = |field: &str| stored[field].as_str().unwrap().to_owned();
            let version = stored["version"].as_i64().unwrap();
            acknowledged.push(Acknowledged { id: text("id"), version, name: text("name") });
        }
        std::io::Result::Ok(())
    };
    send("POST", "", &customer(&own), &[201])?;
    send("POST", "", &customer(&shared), &[201, 409])?;
    send("PATCH", &format!("/{own}"), &change, &[200])?;
    send("PATCH", &format!("/{shared}"), &change, &[200, 404])?;
    // A batch that is rolled back: its second customer is there already.
    let batch = json!({"customers": [customer(&format!("never{number}")), customer(&own)]});
    send("POST", "/batch", &batch, &[409])?;
    let batch = json!({"customers": [customer(&format!("x{number}")), customer(&format!("y{number}"))]});
    send("POST", "/batch", &batch, &[200])?;
    send("POST", "", &json!({"name": "", "email": "nobody"}), &[422])?;
    if number.is_multiple_of(2) {
        send("DELETE", &format!("/{own}"), &json!({}), &[204])?;
    }
    if number.is_multiple_of(97) {
        send("DELETE", &format!("/{shared}"), &json!({}), &[204, 404])?;
    }
    Ok(())
}

/// Every event about a customer with its number: all versions that were ever committed.
async fn events(place: &Place) -> Vec<(i64, Version)> {
    let mut options = DatabaseOptions::default();
    options.sqlite.path = place.folder().join("pando.db");
    options.url = place.url().map(Secret::new);
    let (clock, metrics) = (Clock::system(), Metrics::new());
    let database = Database::open(&options, &metrics, &clock).await.unwrap();
    let parts = QueueParts { database: database.clone(), clock, metrics };
    let outbox = Outbox::new(&Queue::new(parts, QueueOptions::default()).unwrap(), "test");
    let (mut found, mut last) = (Vec::new(), 0);
    loop {
        let call = Call::internal("test", Duration::from_secs(30));
        let events = outbox.read_after(&call, last, 500).await.unwrap();
        if events.is_empty() {
            break;
        }
        for (number, event) in events {
            assert!([last, last + 1].contains(&number), "the log has a gap before {number}");
            last = number;
            assert_eq!(event.service, "customers");
            let id = event.data["id"].as_str().map_or(event.subject, str::to_owned);
            let deleted = event.kind == "customer_deleted";
            found.push((number, Version { id, version: event.version, deleted }));
        }
    }
    database.close().await;
    found
}

/// Everything in the archive, read from the server itself.
async fn archive(s3: &S3) -> Vec<Archived> {
    let options = S3Options {
        bucket: Some(s3.bucket().to_owned()),
        endpoint: Some(s3.endpoint()),
        access_key: Some(s3.access_key().to_owned()),
        secret_key: Some(Secret::new(s3.secret_key())),
        ..S3Options::default()
    };
    let options = ObjectsOptions { s3: options, ..ObjectsOptions::default() };
    let objects = Objects::open(&options, &Metrics::new(), &Clock::system()).unwrap();
    let mut archive = Vec::new();
    let listed: Vec<_> = objects.list_at(None).try_collect().await.unwrap();
    for path in listed.into_iter().map(|it| it.path) {
        let call = Call::internal("test", Duration::from_secs(30));
        let content = objects.get_at(&call, &path).await.unwrap().unwrap().read().await.unwrap();
        let name = path.as_str().rsplit('/').next().unwrap();
        let mut parts = name.split(['-', '.']);
        let mut number = || parts.next().unwrap().parse().unwrap();
        let (from, to, is_ndjson) = (number(), number(), name.ends_with(".ndjson"));
        let text = String::from_utf8_lossy(&content);
        let lines = text.lines().filter(|_| is_ndjson);
        let records = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        archive.push(Archived { from, to, is_ndjson, records });
    }
    archive
}

fn everything_is_there(events: &[(i64, Version)], archive: &[Archived], acknowledged: &[Acknowledged]) {
    let committed: BTreeSet<(&str, i64)> =
        events.iter().map(|(_, event)| (event.id.as_str(), event.version)).collect();
    let said: BTreeMap<(&str, i64), &str> =
        acknowledged.iter().map(|it| ((it.id.as_str(), it.version), it.name.as_str())).collect();
    assert!(said.len() > 50, "hardly anything was written");
    assert!(said.keys().all(|version| committed.contains(version)), "the log misses what was stored");
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for record in archive.iter().flat_map(|object| &object.records) {
        let (id, version) = (record["id"].as_str().unwrap(), record["version"].as_i64().unwrap());
        assert!(committed.contains(&(id, version)), "{record} was never committed");
        if let Some(name) = said.get(&(id, version)) {
            assert_eq!(record["name"], *name, "{record}");
        }
        let known = newest.entry(id).or_insert(record);
        if version > known["version"].as_i64().unwrap() {
            *known = record;
        }
    }
    let mut last: BTreeMap<&str, &Version> = BTreeMap::new();
    for (_, event) in events {
        let known = last.entry(&event.id).or_insert(event);
        if event.version > known.version {
            *known = event;
        }
    }
    assert_eq!(newest.len(), last.len());
    for (id, version) in last {
        let record = newest[id];
        assert_eq!(
            (&record["version"], &record["deleted"]),
            (&json!(version.version), &json!(version.deleted))
        );
    }
    // Each event is covered by an object that has its customer as it was then, or later.
    for (number, event) in events {
        let covering = || archive.iter().filter(|it| (it.from..=it.to).contains(number));
        let is_later = |record: &Value| {
            record["id"] == *event.id && record["version"].as_i64().unwrap() >= event.version
        };
        assert!(covering().any(|object| object.records.iter().any(is_later)), "{number} {event:?}");
        assert!(covering().any(|object| !object.is_ndjson), "{number} is in no .pb");
    }
}
