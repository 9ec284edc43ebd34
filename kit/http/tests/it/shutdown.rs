//! Shutdown: nothing that was accepted is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pando_http::Drained;

use crate::harness::{Running, Wire, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_under_load() {
    for _ in 0..5 {
        let server = Running::start(|_| {});
        let (answered, stopping) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut clients = Vec::new();
        for _ in 0..50 {
            let mut wire = server.connect().await;
            assert_eq!(wire.get("/hello").await.unwrap().status, 200);
            clients.push(pando_telemetry::spawn(
                "test_client",
                hammer(wire, answered.clone(), stopping.clone()),
            ));
        }
        until("many are answered", || answered.load(Ordering::SeqCst) >= 2_000).await;
        let Running { shutdown, serving, .. } = server;
        stopping.store(true, Ordering::SeqCst);
        shutdown.send(()).unwrap();
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(serving.await.unwrap(), Drained { connections_aborted: 0, requests_aborted: 0 });
    }
}

/// Asks without a pause until an answer says that the connection closes. Every request must be answered.
async fn hammer(mut wire: Wire, answered: Arc<AtomicU64>, stopping: Arc<AtomicBool>) {
    loop {
        let answer = wire.get("/hello").await.expect("a request on an open connection is answered");
        assert_eq!(answer.status, 200);
        answered.fetch_add(1, Ordering::SeqCst);
        if answer.header("connection") == "close" {
            assert!(stopping.load(Ordering::SeqCst), "only a shutdown closes a connection in use");
            assert!(wire.is_closed().await);
            return;
        }
    }
}

#[tokio::test]
async fn requests_in_flight_finish_and_idle_connections_close() {
    let server = Running::start(|_| {});
    let mut idle = server.connect().await;
    assert_eq!(idle.get("/hello").await.unwrap().status, 200);
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    assert_eq!(busy.get("/hello").await.unwrap().status, 200);
    busy.send(b"GET /behave/slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until("it is being answered", || server.metrics.render().contains("http_active_requests 1")).await;
    let Running { shutdown, serving, address, .. } = server;
    shutdown.send(()).unwrap();
    assert!(idle.is_closed().await);
    assert!(silent.is_closed().await);
    let answer = busy.answer().await.unwrap();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("slow", "close"));
    assert_eq!(serving.await.unwrap(), Drained { connections_aborted: 0, requests_aborted: 0 });
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn what_does_not_finish_is_aborted_and_counted() {
    let server = Running::start(|options| {
        options.drain_ms = 50;
        options.deadline_ms = 60_000;
    });
    let mut wire = server.connect().await;
    wire.send(b"GET /behave/hang HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until("it is being answered", || server.metrics.render().contains("http_active_requests 1")).await;
    let Running { shutdown, serving, .. } = server;
    shutdown.send(()).unwrap();
    assert_eq!(serving.await.unwrap(), Drained { connections_aborted: 1, requests_aborted: 1 });
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn patience_without_end_is_only_patience() {
    let server = Running::start(|options| options.drain_ms = u64::MAX);
    let mut wire = server.connect().await;
    assert_eq!(wire.get("/hello").await.unwrap().status, 200);
    server.stop().await;
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn during_the_delay_it_is_not_ready_but_answers() {
    let server = Running::start(|options| options.drain_delay_ms = 3_000);
    assert_eq!(server.get("/health/ready").await.status, 200);
    let Running { shutdown, serving, address, metrics } = server;
    let started = Instant::now();
    shutdown.send(()).unwrap();
    let server = Running { address, metrics, serving, shutdown: tokio::sync::oneshot::channel().0 };
    loop {
        let ready = server.get("/health/ready").await;
        if ready.status == 503 {
            assert_eq!(ready.json()["status"], "draining");
            break;
        }
    }
    let still = server.get("/hello").await;
    assert_eq!((still.status, still.header("connection")), (200, "close"));
    assert_eq!(server.serving.await.unwrap(), Drained { connections_aborted: 0, requests_aborted: 0 });
    assert!(started.elapsed() >= Duration::from_secs(3));
}
