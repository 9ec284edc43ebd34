//! Bad input of every kind: a clear 4xx that names what is wrong, nothing lost, and the next request is served.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::engines::Place;

const API: &str = "/api/v1/profiles";

#[test]
fn hostile_bodies_get_a_clear_4xx_and_the_server_goes_on() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = Client::connect(running.address).unwrap();
        let kept = json!({"name": "Kept", "email": "kept@example.org"});
        assert_eq!(client.json("POST", API, &kept).unwrap().status, 201);

        let deep = "[".repeat(10_000);
        let deep_object = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        let long_bio = json!({"name": "n", "email": "n@example.org", "bio": "x".repeat(5_000)}).to_string();
        let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
        let cases: Vec<(&str, &[u8], u16)> = vec![
            ("empty", b"", 400),
            ("truncated", b"{\"name\": \"a", 400),
            ("not JSON", b"name=a", 400),
            ("deep array", deep.as_bytes(), 400),
            ("deep object", deep_object.as_bytes(), 400),
            ("duplicate keys", b"{\"name\":\"a\",\"name\":\"b\",\"email\":\"n@example.org\"}", 400),
            (
                "number out of range",
                b"{\"name\":\"a\",\"email\":\"n@example.org\",\"attributes\":{\"n\":1e999}}",
                400,
            ),
            ("invalid UTF-8", b"{\"name\":\"\xff\xfe\",\"email\":\"n@example.org\"}", 400),
            ("lone surrogate", b"{\"name\":\"\\ud800\",\"email\":\"n@example.org\"}", 400),
            ("NUL", b"{\"name\":\"a\\u0000b\",\"email\":\"n@example.org\"}", 400),
            (
                "NUL in attributes",
                b"{\"name\":\"a\",\"email\":\"n@example.org\",\"attributes\":{\"\\u0000\":1}}",
                400,
            ),
            ("trailing bytes", b"{\"name\":\"a\",\"email\":\"n@example.org\"} x", 400),
            ("an array", b"[]", 400),
            ("too long a field", long_bio.as_bytes(), 422),
            ("wrong types", b"{\"name\":{},\"email\":[]}", 422),
            ("too large", huge.as_bytes(), 413),
        ];
        for (what, body, status) in cases {
            let mut client = Client::connect(running.address).unwrap();
            let reply = client.send("POST", API, &[("content-type", "application/json")], body);
            let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(reply.status, status, "{what}: {reply:?}");
            let problem = reply.value();
            assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
            assert!(!problem["detail"].as_str().unwrap().is_empty(), "{what}");
            assert!(problem["request_id"].is_string(), "{what}: {problem}");
        }
        for (headers, status) in [
            (vec![("content-type", "text/plain")], 415),
            (vec![("content-type", "application/json"), ("content-encoding", "gzip")], 415),
        ] {
            let reply = Client::connect(running.address).unwrap().send("POST", API, &headers, b"{}").unwrap();
            assert_eq!(reply.status, status, "{headers:?}: {reply:?}");
        }
        let listed = client.get(&format!("{API}?count=exact")).unwrap();
        assert_eq!(listed.header("x-total-count"), Some("1"), "{}", place.name);
    }
}

#[test]
fn hostile_framing_is_refused_and_the_server_goes_on() {
    let place = Place::sqlite();
    let running =
        place.start(&[("PANDO_HTTP__HEADER_READ_TIMEOUT_MS", "500"), ("PANDO_HTTP__DEADLINE_MS", "1000")]);
    let many: String = (0..1_000).map(|number| format!("x-{number}: v\r\n")).collect();
    let large = format!("x: {}\r\n", "v".repeat(1024 * 1024));
    let post = format!("POST {API} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    for (what, request, expected) in [
        ("no HTTP at all", "nonsense\r\n\r\n".to_owned(), &["400"][..]),
        ("1,000 headers", format!("GET {API} HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), &["431", "400"]),
        ("a header of 1 MiB", format!("GET {API} HTTP/1.1\r\nhost: localhost\r\n{large}\r\n"), &["431"]),
        (
            "a path of 100 KB",
            format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "p".repeat(100_000)),
            &["414", "431"],
        ),
        ("two lengths", format!("{post}content-length: 5\r\ncontent-length: 6\r\n\r\n{{}}   "), &["400"]),
        (
            "a length and chunks",
            format!("{post}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            &["400"],
        ),
        ("a bad length", format!("{post}content-length: -1\r\n\r\n"), &["400"]),
        ("a bad chunk", format!("{post}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"), &["400"]),
        (
            "an unknown method",
            format!("BREW {API} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
            &["405", "501"],
        ),
        (
            "dots in the path",
            "GET /api/v1/../../etc/passwd HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
                .to_owned(),
            &["404"],
        ),
        (
            "encoded dots",
            "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
                .to_owned(),
            &["404"],
        ),
        (
            "another name for this machine",
            format!("GET {API} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"),
            &["400"],
        ),
        ("a head that never ends", format!("GET {API} HTTP/1.1\r\nhost"), &["408", ""]),
        ("a body that never comes", format!("{post}content-length: 100\r\n\r\n{{"), &["408"]),
    ] {
        let answer = raw(running.address, request.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(expected.contains(&status), "{what}: {:?}", &answer[..answer.len().min(300)]);
        let mut client = Client::connect(running.address).unwrap();
        assert_eq!(client.get(API).unwrap().status, 200, "after {what}");
    }
}

#[test]
fn half_closed_and_idle_connections_do_no_harm() {
    let place = Place::sqlite();
    let running = place.start(&[]);
    let idle: Vec<TcpStream> = (0..500).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    let mut half = TcpStream::connect(running.address).unwrap();
    half.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    half.write_all(format!("GET {API} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes())
        .unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(Client::connect(running.address).unwrap().get(API).unwrap().status, 200);
    drop(idle);
}

/// Sends these bytes and reads until the server closes.
fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server that refuses early may close while we still write: what counts is what it said.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
