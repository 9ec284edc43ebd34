//! Redis gone, silent, and back, under load: nobody is refused, and nothing old comes back with it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pando_database::testing::TestPostgres;
use pando_servers::{Redis, until};
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;
use crate::harness::{Running, ask};

const API: &str = "/api/v1/profiles";
const PATIENCE: Duration = Duration::from_secs(30);

/// Two processes on one PostgreSQL and one Redis, with short pauses so that the test need not wait for minutes.
fn two(redis: &Redis) -> (Place, Vec<Running>) {
    let place = Place::postgres(TestPostgres::shared());
    let url = redis.url();
    let variables = [
        ("REDIS_ADDRESS", url.as_str()),
        ("PANDO_REDIS__BREAKER_OPEN_MS", "100"),
        ("PANDO_REDIS__BREAKER_OPEN_MAX_MS", "200"),
        // What this test reads must come from Redis or the database, not from a process that remembers.
        ("PANDO_PROFILES__CACHE__L1", "false"),
    ];
    let running: Vec<Running> = (0..2).map(|_| place.start(&variables)).collect();
    running.iter().for_each(|running| wait_for(running, "healthy"));
    (place, running)
}

/// Waits until a process says this of Redis. It is ready all the time.
fn wait_for(running: &Running, status: &str) {
    until(&format!("redis is {status}"), PATIENCE, || {
        let health = ask(running.address, "GET", "/health", "");
        assert_eq!((health.status, &health.json()["status"]), (200, &json!("healthy")));
        health.json()["dependencies"]["redis"]["status"] == status
    });
}

fn create(client: &mut Client, name: &str) -> String {
    let body = json!({"name": name, "email": format!("{name}@example.org")});
    client.json("POST", API, &body).unwrap().value()["id"].as_str().unwrap().to_owned()
}

fn bio(client: &mut Client, id: &str) -> Value {
    let read = client.get(&format!("{API}/{id}")).unwrap();
    assert_eq!(read.status, 200, "{read:?}");
    read.value()["profile"]["bio"].clone()
}

#[test]
fn nothing_old_survives_while_redis_is_dead_and_comes_back() {
    let redis = Redis::start(&[]);
    survive(&redis, &|| redis.kill(), &|| redis.resurrect());
}

#[test]
fn a_silent_redis_is_as_harmless_as_a_dead_one() {
    let redis = Redis::start(&[]);
    survive(&redis, &|| redis.pause(), &|| redis.resume());
}

fn survive(redis: &Redis, harm: &dyn Fn(), heal: &dyn Fn()) {
    let (_place, running) = two(redis);
    let (mut one, mut two) = (connect(&running[0]), connect(&running[1]));
    let ids: Vec<String> = (0..5).map(|number| create(&mut one, &format!("person{number}"))).collect();
    // Both have read them, so that Redis holds the old versions.
    ids.iter().for_each(|id| assert_eq!(bio(&mut one, id), bio(&mut two, id)));
    let source = two.get(&format!("{API}/{}", ids[0])).unwrap();
    assert_eq!(source.header("x-cache").map(|it| it.starts_with("l2")), Some(true), "{source:?}");
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        // Also when something below fails: the scope waits for its threads.
        let _stopping = Stopping(&stop);
        for running in running.iter().cycle().take(4) {
            let (address, ids, stop, answered) = (running.address, &ids, &stop, &answered);
            scope.spawn(move || ask_on_and_on(address, ids, stop, answered));
        }
        harm();
        running.iter().for_each(|running| wait_for(running, "degraded"));
        // Written while nobody can be told.
        for id in &ids {
            let changed = one.json("PUT", &format!("{API}/{id}"), &json!({"bio": "new"})).unwrap();
            assert_eq!(changed.status, 200, "{changed:?}");
        }
        ids.iter().for_each(|id| assert_eq!(bio(&mut two, id), "new"));
        let before = answered.load(Ordering::SeqCst);
        until("callers are answered without Redis", PATIENCE, || {
            answered.load(Ordering::SeqCst) > before + 200
        });
        heal();
        // From the first moment on: what Redis held before is not believed.
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(500) {
            ids.iter().for_each(|id| {
                assert_eq!((bio(&mut one, id), bio(&mut two, id)), (json!("new"), json!("new")))
            });
        }
        running.iter().for_each(|running| wait_for(running, "healthy"));
        ids.iter()
            .for_each(|id| assert_eq!((bio(&mut one, id), bio(&mut two, id)), (json!("new"), json!("new"))));
        // It is of use again.
        let two = std::cell::RefCell::new(two);
        until("Redis answers reads again", PATIENCE, || {
            let read = two.borrow_mut().get(&format!("{API}/{}", ids[0])).unwrap();
            read.header("x-cache").is_some_and(|from| from.starts_with("l2"))
        });
    });
    assert!(answered.load(Ordering::SeqCst) > 500);
}

struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn connect(running: &Running) -> Client {
    Client::connect(running.address).unwrap()
}

/// Reads all the time, and takes no refusal.
fn ask_on_and_on(address: SocketAddr, ids: &[String], stop: &AtomicBool, answered: &AtomicU64) {
    let mut client = Client::connect(address).unwrap();
    for id in ids.iter().cycle() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        bio(&mut client, id);
        answered.fetch_add(1, Ordering::SeqCst);
    }
}
