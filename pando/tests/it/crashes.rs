//! kill -9 under write load: every acknowledged write is there afterwards, and the server starts again without help.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pando_database::testing::TestPostgres;
use pando_servers::until;
use rustix::process::Signal;
use serde_json::json;

use crate::client::Client;
use crate::engines::{Place, UNCACHED};
use crate::harness::Running;

const WRITERS: usize = 4;
const API: &str = "/api/v1/profiles";
/// So many writes are acknowledged before anything dies, however busy the machine is.
const WRITES_MIN: usize = 8;
const PATIENCE: Duration = Duration::from_secs(20);

/// A few rounds in every test run; fifty where the long proofs are asked for.
fn rounds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 50 } else { 4 }
}

/// Which process dies.
#[derive(Clone, Copy)]
enum Victim<'a> {
    Server,
    Database(&'a TestPostgres),
}

#[test]
fn prove_that_acknowledged_writes_survive_kill_9_on_sqlite() {
    let place = Place::sqlite();
    survive(&place, &mut |_| Victim::Server);
}

#[test]
fn prove_that_acknowledged_writes_survive_kill_9_on_postgres() {
    // A server of its own, with its disk flushes on: it is killed as well.
    let postgres = TestPostgres::start(&[]);
    let place = Place::postgres(&postgres);
    survive(&place, &mut |round| if round % 2 == 0 { Victim::Server } else { Victim::Database(&postgres) });
}

fn survive<'a>(place: &Place, victim: &mut dyn FnMut(u64) -> Victim<'a>) {
    let mut acknowledged: Vec<String> = Vec::new();
    let numbers = AtomicU64::new(0);
    let mut running = place.start(UNCACHED);
    for round in 0..rounds() {
        // A different moment each round, the same in every run.
        let load = Duration::from_millis(40 + round * 7919 % 211);
        let dies = victim(round);
        acknowledged.extend(write_until_broken(&running, &numbers, load, dies));
        if let Victim::Database(postgres) = dies {
            postgres.resurrect();
        } else {
            running = place.start(UNCACHED);
        }
        missing(&running, &acknowledged, place.name);
    }
    assert!(acknowledged.len() > 20, "only {} writes were acknowledged", acknowledged.len());
    let (status, log) = {
        running.tell(Signal::TERM);
        running.ended()
    };
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

/// Writes from some connections, kills the victim in the middle, and answers with the ids that were acknowledged.
fn write_until_broken(
    running: &Running,
    numbers: &AtomicU64,
    load: Duration,
    victim: Victim<'_>,
) -> Vec<String> {
    let (address, so_far) = (running.address, &AtomicUsize::new(0));
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(move || {
                    let mut done = Vec::new();
                    let Ok(mut client) = Client::connect(address) else { return done };
                    loop {
                        let number = numbers.fetch_add(1, Ordering::Relaxed);
                        let body =
                            json!({"name": "Survivor", "email": format!("survivor{number}@example.org")});
                        match client.json("POST", API, &body) {
                            Ok(reply) if reply.status == 201 => {
                                done.push(reply.value()["id"].as_str().unwrap().to_owned());
                                so_far.fetch_add(1, Ordering::Relaxed);
                            }
                            // The database or the server is gone: this write was never acknowledged.
                            Ok(reply) => {
                                assert!(reply.status >= 500, "{reply:?}");
                                return done;
                            }
                            Err(_) => return done,
                        }
                    }
                })
            })
            .collect();
        thread::park_timeout(load);
        until("some writes are acknowledged", PATIENCE, || {
            so_far.load(Ordering::Relaxed) >= WRITES_MIN || writers.iter().all(|writer| writer.is_finished())
        });
        match victim {
            Victim::Server => running.tell(Signal::KILL),
            Victim::Database(postgres) => postgres.kill(),
        }
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

fn missing(running: &Running, acknowledged: &[String], engine: &str) {
    let mut client = Client::connect(running.address).unwrap();
    for some in acknowledged.chunks(100) {
        let reply = ask_until_it_is_back(&mut client, &format!("{API}?ids={}", some.join(",")));
        let found = reply.as_array().unwrap().len();
        assert_eq!(found, some.len(), "{} acknowledged writes are gone on {engine}", some.len() - found);
    }
}

/// A server whose database died finds it again by itself; until then it says 503.
fn ask_until_it_is_back(client: &mut Client, target: &str) -> serde_json::Value {
    for _ in 0..600 {
        let reply = client.get(target).unwrap();
        if reply.status == 200 {
            return reply.value();
        }
        assert!([503, 504].contains(&reply.status), "{reply:?}");
        thread::park_timeout(Duration::from_millis(50));
    }
    panic!("the server did not find its database again");
}
