//! Customers through the real binary, with a client in another language.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use pando_database::testing::TestPostgres;
use pando_servers::{python, until};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::engines::Place;

const PATIENCE: Duration = Duration::from_secs(60);
const PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../services/customers/proto");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/customers.py");

/// The Python modules that a newcomer makes of the published files.
fn stubs() -> TempDir {
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

fn passes(output: &Output) {
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
    }
}
