//! SIGTERM under load: no request that was accepted fails.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::client::Client;
use crate::engines::Place;

const CLIENTS: usize = 16;
const API: &str = "/api/v1/profiles";

#[test]
fn no_accepted_request_fails_while_the_server_stops() {
    for place in Place::both() {
        let running = place.start(&[]);
        let address = running.address;
        let answered = AtomicUsize::new(0);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let answered = &answered;
                    scope.spawn(move || until_closed(address, client, answered))
                })
                .collect();
            while answered.load(Ordering::Relaxed) < 200 {
                thread::park_timeout(Duration::from_millis(1));
            }
            running.tell(Signal::TERM);
            clients.into_iter().for_each(|client| client.join().unwrap());
        });
        let (status, log) = running.ended();
        assert_eq!(status.code(), Some(0), "{}: {log:#?}", place.name);
        let failures: Vec<_> = log.iter().filter(|line| line["level"] == "ERROR").collect();
        assert!(failures.is_empty(), "{}: {failures:#?}", place.name);
    }
}

/// Sends requests on one connection until the server closes it between two of them.
fn until_closed(address: std::net::SocketAddr, client: usize, answered: &AtomicUsize) {
    let mut connection = Client::connect(address).unwrap();
    for number in 0.. {
        let write = number % 2 == 0;
        let sent = if write {
            let body = json!({"name": "Load", "email": format!("load{client}.{number}@example.org")});
            connection.json("POST", API, &body)
        } else {
            connection.get(&format!("{API}?limit=5"))
        };
        match sent {
            Ok(reply) => {
                assert_eq!(reply.status, if write { 201 } else { 200 }, "{reply:?}");
                answered.fetch_add(1, Ordering::Relaxed);
                if reply.header("connection") == Some("close") {
                    return;
                }
            }
            // The server closed an idle connection before it read a byte of this request.
            Err(error) => {
                let closed =
                    [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
                assert!(closed.contains(&error.kind()), "{error}");
                assert!(number > 0, "the first request on an accepted connection was lost");
                return;
            }
        }
    }
}
