//! Requests with an `Idempotency-Key`: one effect and one answer, however often they are sent, and whoever dies.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::engines::Place;
use crate::harness::Running;

const API: &str = "/api/v1/profiles";
const REPEATED: &str = "idempotent-replayed";

fn connect(running: &Running) -> Client {
    Client::connect(running.address).unwrap()
}

fn keyed(client: &mut Client, key: &str, method: &str, path: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.send(method, path, &headers, body.to_string().as_bytes()).unwrap()
}

fn person(name: &str) -> Value {
    json!({"name": name, "email": format!("{name}@example.org")})
}

/// What a repeat must give again.
fn kept(reply: &Reply) -> (u16, Option<&str>, Option<&str>, Option<&str>, &str) {
    let header = |name| reply.header(name);
    (reply.status, header("content-type"), header("location"), header("etag"), &reply.body)
}

/// How many profiles there are.
fn count(client: &mut Client) -> usize {
    let listed = client.get(&format!("{API}?count=exact&limit=1")).unwrap();
    listed.header("x-total-count").unwrap().parse().unwrap()
}

#[test]
fn every_write_is_done_once_and_answered_alike() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = connect(&running);
        let made = keyed(&mut client, "make", "POST", API, &person("Ada"));
        let one = format!("{API}/{}", made.value()["id"].as_str().unwrap());
        let [address, preferences, restore] =
            ["address", "preferences", "restore"].map(|part| format!("{one}/{part}"));
        let (random, batch) = (format!("{API}/random"), format!("{API}:batch"));
        for (key, method, path, body, status, version) in [
            ("make", "POST", API, person("Ada"), 201, 1),
            ("put", "PUT", one.as_str(), json!({"bio": "counts"}), 200, 2),
            // It changes nothing, and is answered all the same.
            ("put-again", "PUT", &one, json!({"bio": "counts"}), 200, 2),
            ("patch", "PATCH", &one, json!({"name": "Augusta"}), 200, 3),
            ("address", "PUT", &address, json!({"city": "London"}), 200, 4),
            ("address-again", "PUT", &address, json!({"city": "London"}), 200, 4),
            ("preferences", "PUT", &preferences, json!({"theme": "dark"}), 200, 5),
            ("delete", "DELETE", &one, json!({}), 204, 6),
            ("restore", "POST", &restore, json!({}), 200, 7),
            ("random", "POST", &random, json!({}), 201, 1),
            ("batch", "POST", &batch, json!([person("Bo"), person("Ada")]), 200, 0),
        ] {
            let first = keyed(&mut client, key, method, path, &body);
            assert_eq!(
                (first.status, first.header(REPEATED).is_some()),
                (status, key == "make"),
                "{first:?}"
            );
            if let Some(tag) = first.header("etag") {
                assert_eq!(tag, format!("\"{version}\""), "{key} on {}", place.name);
            }
            for _ in 0..2 {
                let again = keyed(&mut client, key, method, path, &body);
                assert_eq!(kept(&again), kept(&first), "{key} on {}", place.name);
                assert_eq!(again.header(REPEATED), Some("true"), "{key}");
            }
        }
        let read = client.get(&one).unwrap();
        assert_eq!((read.header("etag"), count(&mut client)), (Some("\"7\""), 3));
    }
}

#[test]
fn a_key_stands_for_one_request_and_refusals_are_repeated_too() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = connect(&running);
        let made = keyed(&mut client, "one", "POST", API, &person("Ada"));
        let ada = format!("{API}/{}", made.value()["id"].as_str().unwrap());
        let other = keyed(&mut client, "one", "POST", API, &person("Bo"));
        assert_eq!((other.status, &other.value()["code"]), (422, &json!("invalid")), "{other:?}");
        let bad = keyed(&mut client, "not a key", "POST", API, &person("Bo"));
        assert_eq!(bad.status, 400, "{bad:?}");
        // The same key for another operation is another key; the older name of the header counts as well.
        let alias = [("x-idempotency-key", "one")];
        let patched = client.send("DELETE", &ada, &alias, b"").unwrap();
        assert_eq!(patched.status, 204, "{patched:?}");
        assert_eq!(client.send("DELETE", &ada, &alias, b"").unwrap().header(REPEATED), Some("true"));
        // What was refused stays refused, though it could be done by now.
        keyed(&mut client, "two", "POST", API, &person("Cy"));
        let taken = keyed(&mut client, "three", "POST", API, &person("Cy"));
        let fields = taken.value();
        assert_eq!((taken.status, fields["errors"][0]["field"].as_str()), (409, Some("email")), "{taken:?}");
        assert_eq!(fields["request_id"].as_str(), taken.header("x-request-id"));
        assert_eq!(fields["instance"], API);
        let cy = client.get(&format!("{API}?email=cy@example.org")).unwrap().value()[0]["id"].clone();
        client.send("DELETE", &format!("{API}/{}", cy.as_str().unwrap()), &[], b"").unwrap();
        let again = keyed(&mut client, "three", "POST", API, &person("Cy"));
        assert_eq!((kept(&again), again.header(REPEATED)), (kept(&taken), Some("true")));
        // A form with a mistake in it does not use its key up.
        for body in [json!({"name": ""}), json!({"name": 7}), json!([])] {
            let invalid = keyed(&mut client, "four", "POST", API, &body);
            assert!([400, 422].contains(&invalid.status), "{invalid:?}");
        }
        let corrected = keyed(&mut client, "four", "POST", API, &person("Di"));
        assert_eq!((corrected.status, corrected.header(REPEATED)), (201, None), "{corrected:?}");
    }
}

#[test]
fn a_read_with_the_token_of_a_repeated_answer_sees_the_write() {
    for place in Place::both() {
        // Neither hears of the other's writes before it reads their events.
        let late = [("PANDO_QUEUE__RELAY", "false")];
        let (one, other) = (place.start(&late), place.start(&late));
        let (mut here, mut there) = (connect(&one), connect(&other));
        let made = here.json("POST", API, &person("Ada")).unwrap();
        let ada = format!("{API}/{}", made.value()["id"].as_str().unwrap());
        for round in 0..20 {
            assert_eq!(there.get(&ada).unwrap().status, 200, "the other process remembers her");
            let (key, bio) = (format!("round-{round}"), json!({"bio": format!("round {round}")}));
            let first = keyed(&mut here, &key, "PUT", &ada, &bio);
            let again = keyed(&mut there, &key, "PUT", &ada, &bio);
            assert_eq!((kept(&again), again.header(REPEATED)), (kept(&first), Some("true")));
            let token = again.header("pando-consistency").unwrap_or_else(|| panic!("{again:?}")).to_owned();
            let read = there.send("GET", &ada, &[("pando-consistency", &token)], b"").unwrap();
            assert_eq!(read.value()["profile"]["bio"], bio["bio"], "on {}", place.name);
        }
    }
}

/// Sends it again until it is answered, whatever becomes of the server.
fn until_answered(address: SocketAddr, key: &str, body: &Value) -> Option<Reply> {
    let mut client = Client::connect(address).ok()?;
    loop {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let reply = client.send("POST", API, &headers, body.to_string().as_bytes()).ok()?;
        match reply.status {
            // Another one is at it, or there are too many of us.
            409 | 503 => thread::park_timeout(Duration::from_millis(2)),
            _ => return Some(reply),
        }
    }
}

#[test]
fn a_hundred_at_once_make_one_profile() {
    for place in Place::both() {
        // Two processes: in one, the second is told to come back; between them, it waits for the first.
        let processes = [place.start(&[]), place.start(&[])];
        let replies: Vec<Reply> = thread::scope(|scope| {
            let senders: Vec<_> = (0..100)
                .map(|sender| {
                    let address = processes[sender % 2].address;
                    scope.spawn(move || until_answered(address, "hundred", &person("Ada")).unwrap())
                })
                .collect();
            senders.into_iter().map(|sender| sender.join().unwrap()).collect()
        });
        for reply in &replies {
            assert_eq!(kept(reply), kept(&replies[0]), "{}", place.name);
        }
        assert_eq!(replies[0].status, 201);
        assert!(replies.iter().filter(|reply| reply.header(REPEATED).is_none()).count() <= 1);
        assert_eq!(count(&mut connect(&processes[0])), 1, "{}", place.name);
    }
}

#[test]
fn prove_that_a_key_makes_one_profile_though_the_server_is_killed() {
    const SENDERS: usize = 4;
    const KEYS: usize = 25;
    for place in Place::both() {
        for round in 0..3 {
            let mut running = place.start(&[]);
            // Every key is sent by every sender; the server dies when so many were answered.
            let (answered, dies_at) = (AtomicUsize::new(0), 5 + round * 29);
            let name = |key: usize| format!("r{round}k{key}");
            let send_all = |address: SocketAddr| {
                let sent = (0..KEYS).map(|key| {
                    let reply = until_answered(address, &name(key), &person(&name(key)));
                    if reply.is_some() {
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    reply
                });
                sent.collect::<Vec<_>>()
            };
            let all_send = |running: &Running, kill: bool| -> Vec<Vec<Option<Reply>>> {
                let address = running.address;
                thread::scope(|scope| {
                    let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(|| send_all(address))).collect();
                    while kill && answered.load(Ordering::SeqCst) < dies_at {
                        thread::park_timeout(Duration::from_micros(100));
                    }
                    if kill {
                        running.tell(Signal::KILL);
                    }
                    senders.into_iter().map(|sender| sender.join().unwrap()).collect()
                })
            };
            let mut replies = all_send(&running, true);
            running = place.start(&[]);
            replies.extend(all_send(&running, false));
            for key in 0..KEYS {
                let of_key: Vec<&Reply> =
                    replies.iter().filter_map(|replies| replies[key].as_ref()).collect();
                assert!(of_key.len() >= SENDERS, "everybody is answered in the end");
                for reply in &of_key {
                    assert_eq!(kept(reply), kept(of_key[0]), "{} on {}", name(key), place.name);
                }
                assert_eq!(of_key[0].status, 201, "{:?}", of_key[0]);
            }
            assert_eq!(count(&mut connect(&running)), (round + 1) * KEYS, "{}", place.name);
        }
    }
}
