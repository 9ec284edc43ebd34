//! How a process ends: in order when told once, at once when told twice.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use crate::harness::{Running, ask};

#[test]
fn either_signal_ends_it_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let data = tempfile::tempdir().unwrap();
        let running = Running::start(data.path(), &[], &[]);
        running.tell(signal);
        let (status, log) = running.ended();
        assert_eq!(status.code(), Some(0), "{log:#?}");
        assert_eq!(log.last().unwrap()["message"], "pando has stopped");
    }
}

#[test]
fn a_request_in_flight_gets_its_answer() {
    let data = tempfile::tempdir().unwrap();
    let mut running = Running::start(data.path(), &[], &[]);
    let body = r#"{"name": "Zoë", "email": "zoe@example.com"}"#;
    let mut stream = TcpStream::connect(running.address).unwrap();
    let head = format!(
        "POST /api/v1/profiles HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The interim answer proves that the request is in the house.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    running.tell(Signal::TERM);
    running.until(|line| line["message"].as_str().unwrap().starts_with("shutting down"));
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[test]
fn a_load_balancer_is_warned_before_the_door_closes() {
    let data = tempfile::tempdir().unwrap();
    let mut running = Running::start(data.path(), &[], &[("PANDO_HTTP__DRAIN_DELAY_MS", "60000")]);
    assert_eq!(running.ask("GET", "/health/ready", "").status, 200);
    running.tell(Signal::TERM);
    running.until(|line| line["message"].as_str().unwrap().starts_with("shutting down"));
    assert_eq!(running.ask("GET", "/health/ready", "").status, 503);
    assert_eq!(running.ask("GET", "/health/live", "").status, 200);
    assert_eq!(ask(running.address, "GET", "/api/v1/profiles", "").status, 200, "it still works");
    // A minute is not waited for: the second signal ends it at once.
    running.tell(Signal::TERM);
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(130), "{log:#?}");
}

#[test]
fn ctrl_c_waits_for_no_load_balancer() {
    let data = tempfile::tempdir().unwrap();
    let mut running = Running::start(data.path(), &[], &[("PANDO_HTTP__DRAIN_DELAY_MS", "60000")]);
    running.tell(Signal::INT);
    let line = running.until(|line| line["message"].as_str().unwrap().starts_with("shutting down"));
    assert_eq!(line["delay_ms"], 0, "{line}");
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[test]
fn metrics_are_for_operators_unless_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let mut running = Running::start(data.path(), &[], &[("PANDO_HTTP__METRICS", "false")]);
    assert_eq!(running.ask("GET", "/metrics", "").status, 404);
    let admin = running.admin();
    assert!(ask(admin, "GET", "/metrics", "").body.contains("process_resident_memory_bytes"));
}
