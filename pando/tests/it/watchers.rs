//! What it costs to watch a task.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use pando_servers::until;
use serde_json::json;

use crate::client::Client;
use crate::engines::Place;
use crate::harness::Running;

const API: &str = "/api/v1/tasks";
const PATIENCE: Duration = Duration::from_secs(60);
/// Tasks that run meanwhile.
const OTHERS: usize = 200;

/// How often a task was read by its id.
fn reads(running: &Running) -> f64 {
    let metrics = running.ask("GET", "/metrics", "").body;
    let lines = metrics.lines().filter(|line| line.starts_with("db_operations"));
    let reads = lines.filter(|line| line.contains("\"queue.find\""));
    reads.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

fn create(client: &mut Client, task: &serde_json::Value) -> String {
    let created = client.json("POST", &format!("{API}/delayed"), task).unwrap();
    assert_eq!(created.status, 202, "{created:?}");
    created.value()["id"].as_str().unwrap().to_owned()
}

#[test]
fn who_watches_a_task_does_not_read_it_for_every_change_of_another() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = Client::connect(running.address).unwrap();
        let watched = create(&mut client, &json!({"type": "echo", "delay": "1h"}));
        let mut stream = TcpStream::connect(running.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {API}/{watched}/events HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
        until("it is watched", PATIENCE, || reads(&running) > 0.0);
        let before = reads(&running);
        for number in 0..OTHERS {
            create(&mut client, &json!({"type": "echo", "data": {"number": number}}));
        }
        until("all others are done", PATIENCE, || completed(&running) == OTHERS);
        // By itself it looks each five seconds.
        let read = reads(&running) - before;
        assert!(read < OTHERS as f64 / 2.0, "{}: {read} reads", place.name);
        // A change of its own is told at once.
        assert_eq!(client.send("DELETE", &format!("{API}/{watched}"), &[], b"").unwrap().status, 200);
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.contains(r#""status":"cancelled""#), "{}: {said}", place.name);
    }
}

fn completed(running: &Running) -> usize {
    let done = running.ask("GET", &format!("{API}?status=completed&limit=1000"), "");
    done.json().as_array().unwrap().len()
}
