//! Webhooks of the real binary: published libraries check the signatures, and no event is lost when the sender is killed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pando_servers::{python, until};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;
use crate::harness::{Running, pando};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATIENCE: Duration = Duration::from_secs(60);

/// Webhooks may be on this machine, and the jobs of a killed process are taken back soon.
const VARIABLES: [(&str, &str); 5] = [
    ("PANDO_WEBHOOKS__ALLOW_HTTP", "true"),
    ("PANDO_WEBHOOKS__NETWORKS", "[\"127.0.0.0/8\"]"),
    ("PANDO_QUEUE__HEARTBEAT_MS", "200"),
    ("PANDO_QUEUE__LEASE_MS", "1000"),
    ("PANDO_QUEUE__RESCUE_MS", "100"),
];

/// How often the sender is killed on each engine.
fn rounds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 100 } else { 4 }
}

/// A receiver in Python, and what it has received.
struct Receiver {
    child: Child,
    port: u16,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/webhooks.py");
        let mut command = Command::new(python());
        let mut child = command.arg(script).arg(SECRET).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let receiving = received.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                receiving.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port, received }
    }

    fn received(&self) -> Vec<Value> {
        self.received.lock().unwrap().clone()
    }

    /// Has a server send everything here.
    fn subscribe(&self, running: &Running, more: &Value) -> Value {
        let mut fields = json!({
            "url": format!("http://127.0.0.1:{}/", self.port), "events": ["*"], "secret": SECRET,
        });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = connect(running).json("POST", "/v1/webhooks", &fields).unwrap();
        assert_eq!(made.status, 201, "{made:?}");
        made.value()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(running: &Running) -> Client {
    Client::connect(running.address).unwrap()
}

#[test]
fn published_libraries_find_the_signatures_right() {
    for place in Place::both() {
        let (receiver, running) = (Receiver::start(), place.start(&VARIABLES));
        receiver.subscribe(&running, &json!({}));
        let mut client = connect(&running);
        let person = json!({"name": "Zoë", "email": "zoe@example.org"});
        let id = client.json("POST", "/api/v1/profiles", &person).unwrap().value()["id"].clone();
        let customer = json!({"id": "acme", "name": "Acme", "email": "it@acme.example"});
        client.json("POST", "/api/v1/customers", &customer).unwrap();
        until("the events arrive", PATIENCE, || receiver.received().len() >= 3);
        let received = receiver.received();
        assert!(received.iter().all(|one| one["problems"] == json!([])), "{received:#?}");
        let has = |event: &str, subject: &Value| {
            received.iter().any(|one| one["event"] == event && one["subject"] == *subject)
        };
        assert!(has("profile_created", &id), "{received:#?}");
        assert!(has("customer_created", &json!("acme")), "{received:#?}");
    }
}

#[test]
fn the_receiver_for_development_checks_signatures_and_prints_events() {
    let place = Place::sqlite();
    let mut listen = pando(place.folder());
    listen.args(["webhooks", "listen", "--secret", SECRET, "--listen", "127.0.0.1:0"]);
    let mut listening = listen.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let url = first.split_whitespace().last().unwrap().to_owned();
    let running = place.start(&VARIABLES);
    let mut client = connect(&running);
    for secret in ["another secret, which is long enough".replace(' ', "-").as_str(), SECRET] {
        let fields = json!({"url": url, "events": ["profile_created"], "secret": secret});
        let made = client.json("POST", "/v1/webhooks", &fields).unwrap();
        assert_eq!(made.status, 201, "{made:?}");
    }
    client.json("POST", "/api/v1/profiles", &json!({"name": "Zoë", "email": "zoe@example.org"})).unwrap();
    let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(event["event"], "profile_created");
    let mut complaints = BufReader::new(listening.stderr.take().unwrap()).lines();
    assert_eq!(complaints.next().unwrap().unwrap(), "refused: no signature is right");
    listening.kill().unwrap();
    listening.wait().unwrap();
}

#[test]
fn prove_that_no_event_is_lost_and_each_thing_keeps_its_order_though_the_sender_is_killed() {
    for place in Place::both() {
        kill_the_sender(&place, rounds());
    }
}

/// Writes profiles, kills the server in the middle of that, and starts it again; in the end every event of an acknowledged write
/// has arrived, and the versions of each profile arrived in their order.
fn kill_the_sender(place: &Place, times: u64) {
    let receiver = Receiver::start();
    let running = place.start(&VARIABLES);
    // An attempt that fails because the server dies is none of the receiver's faults.
    receiver.subscribe(&running, &json!({"ordered": true, "concurrency": 20}));
    drop(running);
    let mut acknowledged: HashMap<String, i64> = HashMap::new();
    for round in 0..times {
        let running = place.start(&VARIABLES);
        let pid = running.pid();
        // The server is killed at a different moment each time.
        let pause = Duration::from_millis(100 + round * 137 % 600);
        let killer = thread::spawn(move || {
            // The moment is what the test is about: nothing tells when a server is in the middle of sending.
            thread::sleep(pause);
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
        });
        write(&running, round, &mut acknowledged);
        killer.join().unwrap();
    }
    let running = place.start(&VARIABLES);
    let arrived = || {
        let received = receiver.received();
        let has = |subject: &str, version: i64| {
            received.iter().any(|one| one["subject"] == subject && one["version"] == version)
        };
        acknowledged.iter().all(|(subject, last)| (1..=*last).all(|version| has(subject, version)))
    };
    until("every event has arrived", PATIENCE, arrived);
    drop(running);
    let mut last: HashMap<String, i64> = HashMap::new();
    for one in receiver.received() {
        assert_eq!(one["problems"], json!([]), "{one}");
        let (Some(subject), Some(version)) = (one["subject"].as_str(), one["version"].as_i64()) else {
            continue;
        };
        // An event may come again, but none comes before the one that it follows.
        let before = last.entry(subject.to_owned()).or_default();
        assert!(version <= *before + 1, "{}: {one} came after version {before}", place.name);
        *before = version.max(*before);
    }
    assert!(
        acknowledged.len() as u64 >= times,
        "{}: only {} profiles were written",
        place.name,
        acknowledged.len()
    );
}

/// Writes until the connection breaks, and notes what was acknowledged.
fn write(running: &Running, round: u64, acknowledged: &mut HashMap<String, i64>) {
    let mut client = connect(running);
    for number in 0.. {
        let person = json!({"name": "Zoë", "email": format!("zoe{round}.{number}@example.org")});
        let Ok(made) = client.json("POST", "/api/v1/profiles", &person) else { return };
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.value()["id"].as_str().unwrap().to_owned();
        acknowledged.insert(id.clone(), 1);
        for version in 2..=4 {
            let change = json!({"bio": format!("version {version}")});
            let Ok(changed) = client.json("PUT", &format!("/api/v1/profiles/{id}"), &change) else { return };
            assert_eq!(changed.status, 200, "{changed:?}");
            acknowledged.insert(id.clone(), version);
        }
    }
}
