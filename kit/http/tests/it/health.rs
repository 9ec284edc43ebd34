//! Health, readiness and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pando_http::{App, Dependency};

use crate::harness::Running;

fn app(alive: &Arc<AtomicBool>) -> App {
    let alive = alive.clone();
    let database = Dependency::new("database", Duration::from_secs(1), move || {
        let alive = alive.load(Ordering::SeqCst);
        async move { if alive { Ok(()) } else { Err("password=hunter2 refused") } }
    });
    App::new("Test", "1.2.3").dependency(database)
}

#[tokio::test]
async fn health_names_every_dependency() {
    let alive = Arc::new(AtomicBool::new(true));
    let server = Running::start_app(|_| {}, app(&alive));
    let well = server.get("/health").await;
    assert_eq!((well.status, well.header("cache-control")), (200, "no-store"));
    assert_eq!(well.json()["status"], "healthy");
    assert_eq!(well.json()["version"], "1.2.3");
    assert_eq!(well.json()["dependencies"]["database"]["status"], "healthy");
    assert_eq!(server.get("/health/ready").await.json()["status"], "ready");

    alive.store(false, Ordering::SeqCst);
    let ill = server.get("/health").await;
    assert_eq!((ill.status, ill.header("content-type")), (503, "application/json"));
    assert_eq!(ill.json()["status"], "unhealthy");
    assert_eq!(ill.json()["dependencies"]["database"]["reason"], "failed");
    assert!(!ill.text().contains("hunter2"));
    assert_eq!(server.get("/health/ready").await.status, 503);
    assert_eq!(server.get("/health/live").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_probe_that_hangs_is_a_dead_dependency() {
    let stuck = Dependency::new("stuck", Duration::from_millis(20), std::future::pending::<Result<(), &str>>);
    let server = Running::start_app(|_| {}, App::new("Test", "1").dependency(stuck));
    let answer = server.get("/health").await;
    assert_eq!(
        (answer.status, answer.json()["dependencies"]["stuck"]["reason"].as_str()),
        (503, Some("timed out"))
    );
    server.stop().await;
}
