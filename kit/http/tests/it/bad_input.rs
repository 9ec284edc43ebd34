//! What is not HTTP, or not honest HTTP: a clear 4xx or a close, and the next request is served.

use std::time::Duration;

use pando_http::Code;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{HUGE, LOOKALIKE, Running, until};

#[tokio::test]
async fn bytes_that_are_not_http_are_told_so() {
    let server = Running::start(|_| {});
    for bytes in [
        "GARBAGE\r\n\r\n",
        "GET\r\n\r\n",
        "GET /hello\r\n\r\n",
        "GET /hello HTTP/9.9\r\n\r\n",
        "GET /he llo HTTP/1.1\r\nhost: x\r\n\r\n",
        "G\u{0}T /hello HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /hello HTTP/1.1\r\nbad header\r\n\r\n",
        "GET /hello HTTP/1.1\r\n: empty\r\n\r\n",
        "GET /hello HTTP/1.1\r\na: b\u{0}c\r\n\r\n",
        "PRIVATE / SMTP\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}",
        "{\"json\":\"without http\"}\r\n\r\n",
    ] {
        let mut wire = server.connect().await;
        wire.send(bytes.as_bytes()).await;
        wire.answer().await.unwrap_or_else(|| panic!("an answer to {bytes:?}")).is_problem(Code::Malformed);
        assert!(wire.is_closed().await, "{bytes:?}");
    }
    server.is_well().await;
    server.stop().await;
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_told() {
    let server = Running::start(|_| {});
    let many: String = (0..1_000).map(|number| format!("x-{number}: 1\r\n")).collect();
    server.ask(&format!("GET /hello HTTP/1.1\r\n{many}\r\n")).await.is_problem(Code::HeaderTooLarge);
    let large = "x".repeat(1024 * 1024);
    server.ask(&format!("GET /hello HTTP/1.1\r\nx: {large}\r\n\r\n")).await.is_problem(Code::HeaderTooLarge);
    let fits = "x".repeat(16 * 1024);
    assert_eq!(server.ask(&format!("GET /hello HTTP/1.1\r\nhost: x\r\nx: {fits}\r\n\r\n")).await.status, 200);
    let path = "x".repeat(9 * 1024);
    server.ask(&format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n")).await.is_problem(Code::UriTooLong);
    server.is_well().await;
    server.stop().await;
}

#[tokio::test]
async fn one_request_cannot_be_read_as_two() {
    let server = Running::start(|_| {});
    let smuggled = "GET /behave/panic HTTP/1.1\r\nhost: x\r\n\r\n";
    for (headers, body) in [
        ("content-length: 5\r\ncontent-length: 6\r\n", "hello"),
        ("content-length: 5, 6\r\n", "hello"),
        ("content-length: -5\r\n", ""),
        ("content-length: +5\r\n", "hello"),
        ("content-length: 99999999999999999999\r\n", ""),
        ("transfer-encoding: gzip\r\n", ""),
        ("transfer-encoding: chunked, gzip\r\n", "0\r\n\r\n"),
        ("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: identity, chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "ffffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "5\r\nhelloXX0\r\n\r\n"),
    ] {
        let mut wire = server.connect().await;
        wire.send(format!("POST /small HTTP/1.1\r\nhost: x\r\n{headers}\r\n{body}{smuggled}").as_bytes())
            .await;
        if let Some(answer) = wire.answer().await {
            assert!((400..500).contains(&answer.status), "{headers:?} {body:?}: {answer:?}");
        }
        assert!(wire.is_closed().await, "nothing after {headers:?} {body:?} is read as a request");
    }
    server.is_well().await;
    server.stop().await;
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let server = Running::start(|_| {});
    server.ask("GET /hello HTTP/1.1\r\n\r\n").await.is_problem(Code::Malformed);
    server.ask("GET /hello HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n").await.is_problem(Code::Malformed);
    assert_eq!(server.ask("GET /hello HTTP/1.0\r\n\r\n").await.status, 200);
    for host in ["", "a b", "a/b", "user@x", "x:port"] {
        server.ask(&format!("GET /hello HTTP/1.1\r\nhost: {host}\r\n\r\n")).await.is_problem(Code::Malformed);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_is_timed_out() {
    let server = Running::start(|options| options.header_read_timeout_ms = 1_000);
    let mut slow = server.connect().await;
    slow.send(b"GET /hello HTTP/1.1\r\nx: ").await;
    slow.answer().await.unwrap().is_problem(Code::RequestTimeout);
    assert!(slow.is_closed().await);

    // Bytes that keep trickling do not buy more time.
    let mut trickle = server.connect().await;
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    trickle.send(b"GET /hello HTTP/1.1\r\nx: ").await;
    let mut sent = 0;
    while sent < 2_000 && trickle.stream.write_all(b"y").await.is_ok() {
        pause.tick().await;
        sent += 1;
    }
    assert!(sent < 2_000, "closed long before 20 s");

    // Not even the protocol is known.
    for bytes in [&b""[..], b"P", b"PRI * HT"] {
        let mut silent = server.connect().await;
        silent.send(bytes).await;
        if let Some(answer) = silent.answer().await {
            answer.is_problem(Code::RequestTimeout);
        }
        assert!(silent.is_closed().await);
    }
    server.is_well().await;
    server.stop().await;
}

#[tokio::test]
async fn idle_connections_are_closed_and_used_ones_are_not() {
    let server = Running::start(|options| options.keep_alive_idle_ms = 1_500);
    let mut idle = server.connect().await;
    let mut used = server.connect().await;
    assert_eq!(idle.get("/hello").await.unwrap().status, 200);
    let mut pause = tokio::time::interval(Duration::from_millis(200));
    for _ in 0..10 {
        pause.tick().await;
        assert_eq!(used.get("/hello").await.expect("still open").status, 200);
    }
    assert!(idle.is_closed().await);
    drop(used);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_still_gets_its_answer() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    wire.send(b"GET /behave/slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.answer().await.unwrap().text(), "slow");
    assert!(wire.is_closed().await);
    server.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    let requests: String = (0..50).map(|id| format!("GET /items/{id} HTTP/1.1\r\nhost: x\r\n\r\n")).collect();
    wire.send(requests.as_bytes()).await;
    for id in 0..50 {
        assert_eq!(wire.answer().await.unwrap().text(), id.to_string());
    }
    drop(wire);
    server.stop().await;
}

#[tokio::test]
async fn a_full_house_makes_room_by_closing_idle_connections() {
    let server = Running::start(|options| options.connections_max = 5);
    let mut idle = Vec::new();
    for _ in 0..5 {
        let mut wire = server.connect().await;
        assert_eq!(wire.get("/hello").await.unwrap().status, 200);
        idle.push(wire);
    }
    let mut waiting = server.connect().await;
    assert_eq!(waiting.get("/hello").await.expect("room is made").status, 200);
    drop((idle, waiting));
    server.stop().await;
}

#[tokio::test]
async fn idle_connections_by_the_hundred_do_not_slow_the_next_request() {
    let server = Running::start(|_| {});
    let mut idle = Vec::new();
    for _ in 0..idle_connections() {
        idle.push(server.connect().await);
    }
    server.is_well().await;
    drop(idle);
    server.stop().await;
}

/// A thousand where the system allows as many: both ends are open files of this process, which other tests share.
fn idle_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    (soft.unwrap_or(1_024_usize).saturating_sub(224) / 2).min(1_000)
}

#[tokio::test]
async fn an_answer_nobody_takes_is_given_up() {
    let server = Running::start(|options| options.write_stall_ms = 100);
    let mut wire = server.connect().await;
    // More answers than the sockets hold, and none is read.
    let requests = "GET /large HTTP/1.1\r\nhost: x\r\n\r\n".repeat(4_000);
    wire.send(requests.as_bytes()).await;
    let open = || server.metrics.render().contains("http_connections 1");
    // Accepted first: before that there is none to be given up.
    for wanted in [true, false] {
        until("it is accepted, and then given up", || open() == wanted).await;
    }
    drop(wire);
    server.stop().await;
}

#[tokio::test]
async fn a_slow_reader_gets_all_of_its_answer() {
    let server = Running::start(|options| options.write_stall_ms = 1_500);
    let mut wire = server.connect().await;
    wire.send(b"GET /huge HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    wire.head().await;
    // Three times the limit in all, a small part of it each time.
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    let (mut read, mut piece) = (0, vec![0; HUGE / 250]);
    while let Ok(bytes @ 1..) = wire.stream.read(&mut piece).await {
        read += bytes;
        pause.tick().await;
    }
    assert!(read + 16 * 1024 >= HUGE, "{read} bytes, and what came with the head");
    server.stop().await;
}

#[tokio::test]
async fn what_the_application_writes_is_never_taken_for_hypers_own() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    for _ in 0..3 {
        let answer = wire.get("/lookalike").await.unwrap();
        assert_eq!(answer.text(), format!("first {LOOKALIKE}"));
    }
    wire.send(b"GARBAGE\r\n\r\n").await;
    wire.answer().await.unwrap().is_problem(Code::Malformed);
    server.stop().await;
}

/// Its body ends in two places, and behind the nearer one is another request.
fn with_two_ends(headers: [&str; 2]) -> String {
    let [first, second] = headers;
    format!(
        "POST /small HTTP/1.1\r\nhost: x\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n\
         GET /hello HTTP/1.1\r\nhost: x\r\n\r\n"
    )
}

const BOTH_WAYS: [[&str; 2]; 2] = [
    ["content-length: 5", "transfer-encoding: chunked"],
    ["transfer-encoding: chunked", "content-length: 5"],
];

#[tokio::test]
async fn a_body_with_two_ends_is_refused() {
    let server = Running::start(|_| {});
    for headers in BOTH_WAYS {
        let mut wire = server.connect().await;
        assert_eq!(wire.get("/hello").await.unwrap().status, 200);
        wire.send(with_two_ends(headers).as_bytes()).await;
        wire.answer().await.unwrap().is_problem(Code::Malformed);
        assert!(wire.is_closed().await, "what follows is nobody's request");
    }
    server.is_well().await;
    server.stop().await;
}

/// Where hyper reads by itself, it takes the chunks, as it should, and reads nothing behind them.
#[tokio::test]
async fn what_follows_a_body_with_two_ends_is_no_request_where_hyper_reads_by_itself() {
    let chunked = "POST /small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    for (hot_wire, before) in [(false, ""), (false, chunked), (true, chunked)] {
        let server = Running::start(|options| options.hot_wire = hot_wire);
        for headers in BOTH_WAYS {
            let mut wire = server.connect().await;
            wire.send(format!("{before}{}", with_two_ends(headers)).as_bytes()).await;
            if !before.is_empty() {
                assert_eq!(wire.answer().await.unwrap().status, 200);
            }
            let answer = wire.answer().await.unwrap();
            assert_eq!((answer.status, answer.body.len()), (200, 0), "the chunks are the body");
            assert!(wire.is_closed().await, "{hot_wire}: what follows is nobody's request");
        }
        server.is_well().await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_host_longer_than_any_name_is_refused_and_the_connection_ends() {
    let server = Running::start(|_| {});
    for host in ["h".repeat(256), "a b".to_owned()] {
        let mut wire = server.connect().await;
        wire.send(format!("GET /hello HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await;
        wire.answer().await.unwrap().is_problem(Code::Malformed);
        assert!(wire.is_closed().await);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_system_asks_whether_a_quiet_peer_is_still_there() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    assert_eq!(wire.get("/hello").await.unwrap().status, 200);
    let (here, there) = (server.address.port(), wire.stream.local_addr().unwrap().port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ours = format!("0100007F:{here:04X} 0100007F:{there:04X} ");
    let line = table.lines().find(|line| line.contains(&ours)).expect("the server's end of the connection");
    // The sixth column is the timer: 02 is the one that probes.
    assert!(line.split_whitespace().nth(5).unwrap().starts_with("02:"), "{line}");
    drop(wire);
    server.stop().await;
}
