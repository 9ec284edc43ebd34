//! HTTP/2 with prior knowledge on the same port.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{HUGE, Running};

async fn connect(server: &Running) -> SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    pando_telemetry::spawn("test_client", async { drop(connection.await) });
    sender
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://x{path}")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let server = Running::start(|_| {});
    let mut client = connect(&server).await;
    let answers: Vec<_> = (0..100).map(|id| client.send_request(get(&format!("/items/{id}")))).collect();
    for (id, answer) in answers.into_iter().enumerate() {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.collect().await.unwrap().to_bytes(), id.to_string());
    }
    let missing = client.send_request(get("/nowhere")).await.unwrap();
    assert_eq!(missing.headers()["content-type"], "application/problem+json");
    assert!(server.metrics.render().contains("http_connections 1"));
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn rapid_resets_end_the_connection_not_the_server() {
    let server = Running::start(|_| {});
    // One that is counted where all of them would be.
    assert_eq!(server.get("/").await.status, 404);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for id in (1..20_000_u32).step_by(2).map(u32::to_be_bytes) {
        // GET / in static HPACK entries, and at once a reset: cancel.
        flood.extend([&b"\0\0\x03\x01\x05"[..], &id, b"\x82\x86\x84"].concat());
        flood.extend([&b"\0\0\x04\x03\0"[..], &id, b"\0\0\0\x08"].concat());
    }
    // The server may close while we still write.
    let _ = stream.write_all(&flood).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    server.is_well().await;
    let text = server.metrics.render();
    let served =
        text.lines().find(|line| line.contains("\"unknown\"") && line.starts_with("http_requests_total"));
    let served = served.expect("one was counted").rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    assert!((1..1_000).contains(&served), "{served} of 10000 requests were worked on");
    server.stop().await;
}

#[tokio::test]
async fn shutdown_lets_streams_in_flight_finish() {
    let server = Running::start(|_| {});
    let mut client = connect(&server).await;
    assert_eq!(client.send_request(get("/hello")).await.unwrap().status(), 200);
    let slow: Vec<_> = (0..10).map(|_| client.send_request(get("/behave/slow"))).collect();
    assert_eq!(client.send_request(get("/hello")).await.unwrap().status(), 200);
    let Running { shutdown, serving, .. } = server;
    shutdown.send(()).unwrap();
    for answer in slow {
        assert_eq!(answer.await.unwrap().status(), 200);
    }
    assert_eq!(serving.await.unwrap().requests_aborted, 0);
}

#[tokio::test]
async fn streams_that_take_nothing_are_given_up_and_slow_ones_are_not() {
    let server = Running::start(|options| options.write_stall_ms = 1_500);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // SETTINGS_INITIAL_WINDOW_SIZE = 0, then GET /huge: nothing of its body may ever be sent.
    let mut asked = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0".to_vec();
    asked.extend(b"\0\0\x0c\x01\x05\0\0\0\x01\x82\x86\x41\x01x\x04\x05/huge");
    stream.write_all(&asked).await.unwrap();
    let mut answer = Vec::new();
    // A reset says it as well as an end.
    let _ = stream.read_to_end(&mut answer).await;

    let mut client = connect(&server).await;
    let mut body = client.send_request(get("/huge")).await.unwrap().into_body();
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(3));
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().into_data().map_or(0, |data| data.len());
        pause.tick().await;
    }
    assert_eq!(read, HUGE);
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn headers_are_counted_here_too() {
    let server = Running::start(|_| {});
    let mut client = connect(&server).await;
    let mut request = get("/hello");
    for number in 0..101 {
        let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
        request.headers_mut().insert(name, http::HeaderValue::from_static("1"));
    }
    assert_eq!(client.send_request(request).await.unwrap().status(), 431);
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let server = Running::start(|options| (options.peer_probe_ms, options.deadline_ms) = (300, 600_000));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The preface, and GET /behave/hang: nothing but pings would pass here for ten minutes, and nobody answers those.
    let mut asked = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    asked.extend(b"\0\0\x14\x01\x05\0\0\0\x01\x82\x86\x41\x01x\x04\x0d/behave/hang");
    stream.write_all(&asked).await.unwrap();
    let mut answer = Vec::new();
    // A reset says it as well as an end.
    let ended =
        tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection ends");
    server.is_well().await;
    server.stop().await;
}
