//! Tasks through the real binary: stored, run, handed from process to process, and looked after by operators.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pando_clock::{Clock, Timestamp};
use pando_servers::{RabbitMq, free_port, until};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::engines::Place;
use crate::harness::{Running, ask};

const API: &str = "/api/v1/tasks";
const PATIENCE: Duration = Duration::from_secs(20);
/// The jobs of a dead worker are taken back soon: nobody here waits for half a minute.
pub(crate) const SHORT_LEASES: &[(&str, &str)] = &[
    ("PANDO_QUEUE__HEARTBEAT_MS", "300"),
    ("PANDO_QUEUE__LEASE_MS", "1500"),
    ("PANDO_QUEUE__RESCUE_MS", "200"),
];

fn create(client: &mut Client, task: &Value) -> Reply {
    client.json("POST", &format!("{API}/delayed"), task).unwrap()
}

fn id(created: &Reply) -> String {
    assert_eq!(created.status, 202, "{created:?}");
    created.value()["id"].as_str().unwrap().to_owned()
}

/// A task when it has ended.
fn ended(client: &mut Client, id: &str) -> Value {
    let reply = client.get(&format!("{API}/{id}?wait=20s")).unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.value()
}

fn status(client: &mut Client, id: &str) -> String {
    client.get(&format!("{API}/{id}")).unwrap().value()["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_delayed_task_runs_and_its_status_is_right_whenever_it_is_asked() {
    let clock = Clock::system();
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = Client::connect(running.address).unwrap();
        let created = create(&mut client, &json!({"type": "sleep", "data": {"ms": 300}, "delay": "700ms"}));
        let (id, due) = (id(&created), created.value()["run_at"].as_str().unwrap().to_owned());
        let due: Timestamp = due.parse().unwrap();
        assert_eq!(created.value()["status"], "scheduled");
        let mut seen: Vec<String> = Vec::new();
        let began = clock.now();
        while seen.last().is_none_or(|status| status != "completed") {
            let before = clock.now();
            let now = status(&mut client, &id);
            // Both sides of the question, because the moment may lie between them.
            if clock.now() < due {
                assert_eq!(now, "scheduled", "{}", place.name);
            } else if before > due {
                assert_ne!(now, "scheduled", "{}", place.name);
            }
            if seen.last() != Some(&now) {
                seen.push(now);
            }
            assert!(clock.now() < began.plus_micros(20_000_000), "{}: {seen:?}", place.name);
        }
        // On a machine with much to do, what is short may pass between two questions.
        let mut course = ["scheduled", "pending", "processing", "completed"].iter();
        assert!(seen.iter().all(|seen| course.any(|status| seen == status)), "{}: {seen:?}", place.name);
        let done = ended(&mut client, &id);
        assert_eq!((&done["result"], &done["attempts"]), (&json!({"slept_ms": 300}), &json!(1)));
    }
}

#[test]
fn an_unknown_type_is_answered_with_the_known_ones() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = Client::connect(running.address).unwrap();
        let refused = create(&mut client, &json!({"type": "dance"}));
        assert_eq!(refused.status, 422, "{refused:?}");
        let message = refused.value()["errors"][0]["message"].as_str().unwrap().to_owned();
        let known: Vec<&str> = message.strip_prefix("must be one of ").unwrap().split(", ").collect();
        for kind in ["echo", "erase", "http_callback", "image_variants", "sleep"] {
            assert!(known.contains(&kind), "{kind} is not among {known:?}");
        }
        assert!(known.is_sorted(), "{known:?}");
        assert_eq!(client.get(API).unwrap().body, "[]");
    }
}

#[test]
fn a_key_sent_from_twenty_connections_makes_one_task() {
    const CALLERS: usize = 20;
    for place in Place::both() {
        let running = place.start(&[]);
        let address = running.address;
        let barrier = Barrier::new(CALLERS);
        let mut ids: Vec<String> = thread::scope(|scope| {
            let call = || {
                let mut client = Client::connect(address).unwrap();
                barrier.wait();
                keyed(&mut client)
            };
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        ids.dedup();
        assert_eq!(ids.len(), 1, "{}: {ids:?}", place.name);
        let mut client = Client::connect(address).unwrap();
        assert_eq!(client.get(API).unwrap().value().as_array().unwrap().len(), 1, "{}", place.name);
    }
}

/// Sends a request with a key until it is answered; the id of the task.
fn keyed(client: &mut Client) -> String {
    let headers = [("content-type", "application/json"), ("idempotency-key", "once-and-only-once")];
    let body = br#"{"type": "echo", "data": {"n": 1}}"#;
    for _ in 0..2_000 {
        let reply = client.send("POST", &format!("{API}/delayed"), &headers, body).unwrap();
        if reply.status == 409 {
            // The first one is being worked on.
            assert!(reply.header("retry-after").is_some(), "{reply:?}");
            thread::park_timeout(Duration::from_millis(5));
            continue;
        }
        return id(&reply);
    }
    panic!("the first request was never answered")
}

#[test]
fn the_example_in_the_document_is_a_task() {
    let running = Place::sqlite().start(&[]);
    let document: Value = serde_json::from_str(&running.ask("GET", "/openapi.json", "").body).unwrap();
    let example = &document["components"]["schemas"]["TaskFields"]["example"];
    let mut client = Client::connect(running.address).unwrap();
    let id = id(&create(&mut client, example));
    assert_eq!(&ended(&mut client, &id)["result"], &example["data"]);
}

#[test]
fn kill_9_in_a_stream_of_tasks_loses_none() {
    for place in Place::both() {
        let mut running = place.start(SHORT_LEASES);
        let mut accepted = Vec::new();
        for count in [5, 40] {
            accepted.extend(stream_until_killed(&running, count));
            running = place.start(SHORT_LEASES);
        }
        let mut client = Client::connect(running.address).unwrap();
        for (id, data) in &accepted {
            let done = ended(&mut client, id);
            assert_eq!(
                (&done["status"], &done["result"]),
                (&json!("completed"), data),
                "{}: {done}",
                place.name
            );
        }
    }
}

/// Stores tasks from some connections, and kills the server when so many are accepted; what was answered 202.
fn stream_until_killed(running: &Running, count: usize) -> Vec<(String, Value)> {
    let (address, so_far) = (running.address, &AtomicUsize::new(0));
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                scope.spawn(move || {
                    let mut accepted = Vec::new();
                    let mut client = Client::connect(address).unwrap();
                    for number in 0.. {
                        let data = json!({"writer": writer, "number": number});
                        let task = json!({"type": "echo", "data": data});
                        match client.json("POST", &format!("{API}/delayed"), &task) {
                            Ok(reply) => {
                                accepted.push((id(&reply), data));
                                so_far.fetch_add(1, Ordering::Relaxed);
                            }
                            // Killed: this one was never accepted.
                            Err(_) => break,
                        }
                    }
                    accepted
                })
            })
            .collect();
        until("enough tasks are accepted", PATIENCE, || so_far.load(Ordering::Relaxed) >= count);
        running.tell(Signal::KILL);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

#[test]
fn a_task_that_sleeps_is_handed_back_and_another_process_finishes_it() {
    for place in Place::both() {
        let first = place.start(&[("PANDO_WORKER__STOP_MS", "100")]);
        let mut client = Client::connect(first.address).unwrap();
        let id = id(&create(&mut client, &json!({"type": "sleep", "data": {"ms": 2000}})));
        until("the task is begun", PATIENCE, || {
            let mut client = Client::connect(first.address).unwrap();
            status(&mut client, &id) == "processing"
        });
        drop(client);
        first.tell(Signal::TERM);
        let (code, log) = first.ended();
        assert_eq!(code.code(), Some(0), "{}: {log:#?}", place.name);
        let stopped = log.iter().find(|line| line["message"] == "the worker stopped").unwrap();
        assert_eq!((&stopped["finished"], &stopped["handed_back"]), (&json!(0), &json!(1)), "{}", place.name);
        let second = place.start(&[]);
        let done = ended(&mut Client::connect(second.address).unwrap(), &id);
        // The attempt that was handed back does not count.
        assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(1)), "{}", place.name);
    }
}

#[test]
fn who_takes_tasks_in_and_who_runs_them_can_be_two_processes() {
    for place in Place::both() {
        let api = place.start(&[("PANDO_ROLES", "tasks")]);
        let mut client = Client::connect(api.address).unwrap();
        let id = id(&create(&mut client, &json!({"type": "echo", "data": {"to": "across"}})));
        assert_eq!(client.get("/api/v1/profiles").unwrap().status, 404);
        assert_eq!(status(&mut client, &id), "pending", "nobody runs it yet");
        let mut worker = place.start(&[("PANDO_ROLES", "worker")]);
        assert_eq!(worker.ask("GET", API, "").status, 404);
        let admin = worker.admin();
        assert_eq!(ask(admin, "GET", "/health", "").status, 200);
        assert_eq!(ended(&mut client, &id)["result"]["to"], "across", "{}", place.name);
        until("its work is counted", PATIENCE, || {
            ask(admin, "GET", "/metrics", "").body.contains(r#"job_attempts_total{outcome="completed"} 1"#)
        });
    }
}

#[test]
fn operators_pause_a_queue_and_see_what_waits() {
    for place in Place::both() {
        let mut running = place.start(&[]);
        let queue = |arguments: &[&str]| place.printed(&[&["queue"], arguments].concat(), &[]);
        assert_eq!(queue(&["pause", "default"]), "default is paused\n");
        let mut client = Client::connect(running.address).unwrap();
        let id = id(&create(&mut client, &json!({"type": "echo", "data": {"n": 1}})));
        let listed = queue(&["list"]);
        let line = listed.lines().find(|line| line.starts_with("default: ")).unwrap();
        assert!(line.starts_with("default: 1 pending") && line.ends_with("paused"), "{listed}");
        let shown: Value = serde_json::from_str(&queue(&["show", &id])).unwrap();
        assert_eq!((&shown["kind"], &shown["state"]), (&json!("echo"), &json!("pending")));
        let admin = running.admin();
        let seen = ask(admin, "GET", "/api/v1/admin/queues", "").json();
        let default = seen.as_array().unwrap().iter().find(|it| it["queue"] == "default").unwrap();
        assert_eq!(default["paused"], true, "{seen}");
        assert_eq!(running.ask("GET", "/api/v1/admin/queues", "").status, 200, "the console asks here");
        assert_eq!(queue(&["dead"]), "no job is dead\n");
        assert_eq!(queue(&["redrive", "--dry-run"]), "0 dead letters, 0 redriven\n");
        assert_eq!(ask(admin, "POST", "/api/v1/admin/queues/default/resume", "").status, 204);
        assert_eq!(ended(&mut client, &id)["status"], "completed", "{}", place.name);
        assert_eq!(queue(&["resume", "default"]), "default is resumed\n");
    }
}

/// Hundreds of the most urgent tasks that sleep, and that call an address which never answers.
#[test]
fn tasks_that_hang_keep_only_their_like_waiting() {
    let tarpit = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", tarpit.local_addr().unwrap());
    for place in Place::both() {
        let running = place.start(&[
            ("PANDO_TASKS__SLEEP", "true"),
            ("PANDO_TASKS__CALLBACK_NETWORKS", "[\"127.0.0.0/8\"]"),
            ("PANDO_WORKER__STOP_MS", "100"),
        ]);
        let mut client = Client::connect(running.address).unwrap();
        let mut hanging = String::new();
        for _ in 0..200 {
            let sleep = json!({"type": "sleep", "priority": 9, "data": {"ms": 60_000}});
            let callback = json!({"type": "http_callback", "priority": 9, "data": {"url": url}});
            id(&create(&mut client, &sleep));
            hanging = id(&create(&mut client, &callback));
        }
        let person = json!({"name": "Zoë", "email": "zoe@example.org"});
        let person = client.json("POST", "/api/v1/profiles", &person).unwrap();
        let path = format!("/api/v1/profiles/{}", person.value()["id"].as_str().unwrap());
        let echo = create(&mut client, &json!({"type": "echo", "priority": 0, "data": {"n": 1}}));
        let export = client.send("POST", &format!("{path}/data-export"), &[], b"").unwrap();
        for small in [&echo, &export] {
            assert_eq!(ended(&mut client, &id(small))["status"], "completed", "{}", place.name);
        }
        let erasure = client.send("POST", &format!("{path}/erase"), &[], b"").unwrap();
        assert_eq!(ended(&mut client, &id(&erasure))["status"], "completed", "{}", place.name);
        assert_ne!(status(&mut client, &hanging), "completed", "nobody answered it");
    }
}

#[test]
fn those_who_wait_for_a_task_are_let_go_when_the_server_ends() {
    for place in Place::both() {
        let mut running = place.start(&[]);
        let admin = running.admin();
        let mut client = Client::connect(running.address).unwrap();
        let id = id(&create(&mut client, &json!({"type": "echo", "delay": "1h"})));
        let mut stream = TcpStream::connect(running.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {API}/{id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut said = String::new();
        while !said.contains("event: task") {
            let mut some = [0; 4_096];
            let length = stream.read(&mut some).unwrap();
            assert!(length > 0, "{}: the stream ended: {said}", place.name);
            said.push_str(std::str::from_utf8(&some[..length]).unwrap());
        }
        let (code, log, waited) = thread::scope(|scope| {
            // Longer than a drain may take: it is not the end of the wait that is waited for.
            let waiting = scope.spawn(|| client.get(&format!("{API}/{id}?wait=60s")).unwrap());
            // The stream, the one who waits, and the one who asks for this.
            until("it is waited for", PATIENCE, || {
                ask(admin, "GET", "/metrics", "").body.contains("\nhttp_active_requests 3")
            });
            running.tell(Signal::TERM);
            let (code, log) = running.ended();
            (code, log, waiting.join().unwrap())
        });
        assert_eq!(code.code(), Some(0), "{}: {log:#?}", place.name);
        let drained = log.iter().find(|line| line["message"] == "drained: every request got its answer");
        assert!(drained.is_some(), "{}: {log:#?}", place.name);
        assert_eq!((waited.status, &waited.value()["status"]), (200, &json!("scheduled")), "{}", place.name);
        stream.read_to_string(&mut said).unwrap();
        assert!(said.contains(": this server ends") && said.ends_with("0\r\n\r\n"), "{}: {said}", place.name);
    }
}

#[test]
fn tasks_run_with_a_broker_and_while_it_is_away() {
    let away = format!("amqp://guest:guest@127.0.0.1:{}/%2f", free_port());
    for broker in [RabbitMq::shared().amqp_url(), away] {
        for place in Place::both() {
            let variable = ("RABBITMQ_URI", broker.as_str());
            let api = place.start(&[variable, ("PANDO_ROLES", "tasks")]);
            let worker = place.start(&[variable, ("PANDO_ROLES", "worker")]);
            let mut client = Client::connect(api.address).unwrap();
            for number in 0..3 {
                let id = id(&create(&mut client, &json!({"type": "echo", "data": {"n": number}})));
                assert_eq!(ended(&mut client, &id)["result"]["n"], number, "{}", place.name);
            }
            for running in [api, worker] {
                running.tell(Signal::TERM);
                let (code, log) = running.ended();
                assert_eq!(code.code(), Some(0), "{}: {log:#?}", place.name);
            }
        }
    }
}
