//! Customers through the real binary, with a client in another language.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use pando_clock::Clock;
use pando_database::testing::TestPostgres;
use pando_database::{Database, DatabaseOptions, Query, params};
use pando_resilience::Call;
use pando_servers::{python, until};
use pando_telemetry::{Metrics, Secret};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::engines::Place;

const PATIENCE: Duration = Duration::from_secs(60);
const PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../services/customers/proto");
pub(crate) const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/customers.py");

/// The Python modules that a newcomer makes of the published files.
pub(crate) fn stubs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display();
    let made = Command::new(python())
        .args(["-m", "grpc_tools.protoc", "-I", PROTOS])
        .args([format!("--python_out={out}"), format!("--grpc_python_out={out}")])
        .args(["pando/customers/v1/customer.proto", "pando/customers/v1/customers.proto"])
        .arg("customer/v1/customer.proto")
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    folder
}

fn client(address: SocketAddr, stubs: &Path, tests: &[&str]) -> Output {
    Command::new(python()).arg(CLIENT).arg(address.to_string()).arg(stubs).args(tests).output().unwrap()
}

/// Runs one test of the script with these variables.
pub(crate) fn client_with(address: SocketAddr, test: &str, variables: &[(&str, String)]) -> Output {
    let stubs = stubs();
    let mut command = Command::new(python());
    command.arg(CLIENT).arg(address.to_string()).arg(stubs.path()).arg(test);
    command.envs(variables.iter().map(|(name, value)| (*name, value))).output().unwrap()
}

pub(crate) fn passes(output: &Output) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
}

fn use_every_method(place: &Place) {
    let (running, stubs) = (place.start(&[]), stubs());
    let told = client(running.address, stubs.path(), &[]);
    passes(&told);
    assert!(String::from_utf8_lossy(&told.stdout).contains(" tests passed"), "{told:?}");
}

#[test]
fn a_client_in_python_uses_every_method_on_sqlite() {
    use_every_method(&Place::sqlite());
}

#[test]
fn a_client_in_python_uses_every_method_on_postgres() {
    use_every_method(&Place::postgres(TestPostgres::shared()));
}

#[test]
fn customers_can_be_a_process_of_their_own() {
    let place = Place::postgres(TestPostgres::shared());
    let _profiles = place.start(&[("PANDO_ROLES", "profiles")]);
    let customers = place.start(&[("PANDO_ROLES", "customers")]);
    let stubs = stubs();
    passes(&client(customers.address, stubs.path(), &[]));
    assert_eq!(customers.ask("GET", "/api/v1/profiles", "").status, 404);
}

static LOCK: Query = Query::write("test.lock", "lock table customers in access exclusive mode");
static WAITING: Query = Query::scan(
    "test.waiting",
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
);

/// Somebody has locked the table. The callers give up, and then nothing of theirs waits in PostgreSQL any more.
#[test]
fn a_call_whose_deadline_passes_stops_its_statement() {
    let place = Place::postgres(TestPostgres::shared());
    let (running, stubs) = (place.start(&[]), stubs());
    let url = place.url().map(Secret::new);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = DatabaseOptions { url, ..DatabaseOptions::default() };
    let database = runtime.block_on(Database::open(&options, &Metrics::new(), &Clock::system())).unwrap();
    let call = Call::internal("test", PATIENCE);
    let mut tx = runtime.block_on(database.transaction(&call)).unwrap();
    runtime.block_on(tx.execute(&LOCK, params![])).unwrap();
    let waiting = || {
        let call = Call::internal("test", PATIENCE);
        let row = runtime.block_on(database.read_primary(&call).row(&WAITING, params![])).unwrap();
        row.unwrap().get::<i64>(0).unwrap()
    };
    let told = thread::scope(|scope| {
        let calls =
            scope.spawn(|| client(running.address, stubs.path(), &["every_call_waits_for_the_table"]));
        until("a statement waits for the lock", PATIENCE, || waiting() > 0);
        calls.join().unwrap()
    });
    passes(&told);
    // The lock is still held: a statement that was left alone would wait on.
    until("no statement waits", Duration::from_secs(2), || waiting() == 0);
    runtime.block_on(tx.rollback()).unwrap();
    passes(&client(running.address, stubs.path(), &["test_a_customer_is_created_read_changed_and_deleted"]));
    runtime.block_on(database.close());
}

fn survive(place: &Place, before: &str, after: &str) {
    for load in [100, 700] {
        // Its name is in the keys of this round.
        let (stubs, running) = (stubs(), place.start(&[]));
        let address = running.address;
        let told = thread::scope(|scope| {
            let sending = scope.spawn(|| client(address, stubs.path(), &[before]));
            // By then it has sent some.
            until("something was sent", PATIENCE, || stubs.path().join("begun").exists());
            thread::park_timeout(Duration::from_millis(load));
            running.tell(Signal::KILL);
            sending.join().unwrap()
        });
        passes(&told);
        drop(running);
        let running = place.start(&[]);
        passes(&client(running.address, stubs.path(), &[after]));
    }
}

#[test]
fn prove_that_a_key_makes_one_customer_over_both_ways_though_the_server_is_killed() {
    for place in Place::both() {
        survive(&place, "until_it_dies", "again_after_its_death");
    }
}

#[test]
fn prove_that_a_watch_goes_on_without_a_gap_or_a_repeat_though_the_server_is_killed() {
    for place in Place::both() {
        survive(&place, "watch_until_it_dies", "watch_on");
        survive(&place, "events_until_it_dies", "events_on");
    }
}

#[test]
fn an_import_that_comes_too_slowly_or_is_cut_short_says_how_far_it_came() {
    let line = |number: usize| format!("{{\"name\": \"N\", \"email\": \"n{number}@example.org\"}}\n");
    let lines: String = (0..600).map(line).collect();
    let place = Place::sqlite();
    let limits = [("PANDO_HTTP__BODY_TOTAL_MS", "1500"), ("PANDO_HTTP__BODY_GRACE_MS", "1000")];
    let running = place.start(&limits);
    let head = "POST /api/v1/customers/import HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = TcpStream::connect(running.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{head}{:x}\r\n{lines}\r\n", lines.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("500 customers were created"), "{answer}");
    assert_eq!(running.ask("GET", "/api/v1/customers/export", "").body.lines().count(), 500);
}
