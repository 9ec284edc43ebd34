//! Many connections that keep the server waiting: whoever else comes is served.

use pando_http::Code;

use crate::harness::{Running, Wire};

const THERE: [u8; 4] = [127, 0, 0, 1];
const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

async fn is_served_from(server: &Running, host: [u8; 4]) {
    for path in ["/hello", "/health"] {
        let answer = server.connect_from(host).await.get(path).await.expect("an answer");
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn one_address_cannot_have_all_connections() {
    let server =
        Running::start(|options| (options.connections_max, options.connections_per_peer_max) = (20, 5));
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut wire = server.connect_from(THERE).await;
        assert_eq!(wire.get("/hello").await.unwrap().status, 200);
        held.push(wire);
    }
    let mut refused = server.connect_from(THERE).await;
    refused.answer().await.expect("it is told why").is_problem(Code::TooMany);
    is_served_from(&server, ELSEWHERE).await;
    // What is closed is free again.
    drop(held.pop());
    let mut wire = loop {
        let mut wire = server.connect_from(THERE).await;
        if wire.get("/hello").await.is_some_and(|answer| answer.status == 200) {
            break wire;
        }
    };
    assert_eq!(wire.get("/hello").await.unwrap().status, 200);
    drop((held, refused, wire));
    server.stop().await;
}

#[tokio::test]
async fn trusted_proxies_may_have_as_many_as_they_need() {
    let server = Running::start(|options| {
        options.connections_per_peer_max = 1;
        options.trusted_proxies = vec!["127.0.0.1".to_owned()];
    });
    let mut wires = Vec::new();
    for _ in 0..5 {
        let mut wire = server.connect_from(THERE).await;
        assert_eq!(wire.get("/hello").await.unwrap().status, 200);
        wires.push(wire);
    }
    drop(wires);
    server.stop().await;
}

/// The begin of an upload that goes on for ever.
async fn slow_upload(server: &Running, host: [u8; 4]) -> Wire {
    let mut wire = server.connect_from(host).await;
    wire.send(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\nx").await;
    wire
}

#[tokio::test]
async fn with_no_room_left_the_slowest_bodies_and_heads_go_first() {
    let server = Running::start(|options| {
        (options.connections_max, options.connections_per_peer_max) = (20, 20);
        // Nothing else ends them here.
        (options.body_grace_ms, options.header_read_timeout_ms) = (600_000, 600_000);
    });
    let mut slow = Vec::new();
    for number in 0..20 {
        slow.push(match number % 2 {
            0 => slow_upload(&server, THERE).await,
            _ => {
                let mut head = server.connect_from(THERE).await;
                head.send(b"GET /hello HTTP/1.1\r\nx: ").await;
                head
            }
        });
    }
    is_served_from(&server, ELSEWHERE).await;
    drop(slow);
    server.stop().await;
}
