//! Health, readiness and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

#[tokio::test]
async fn however_many_ask_a_dependency_is_asked_once_in_a_while() {
    let probes = Arc::new(AtomicUsize::new(0));
    let counted = probes.clone();
    let slow = Dependency::new("slow", Duration::from_secs(20), move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::task::yield_now().await;
            Ok::<_, &str>(())
        }
    });
    let server = Running::start_app(
        |options| options.health_kept_ms = 600_000,
        App::new("Test", "1").dependency(slow),
    );
    let asked = (0..50).map(|number| server.get(if number % 2 == 0 { "/health" } else { "/health/ready" }));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(probes.load(Ordering::SeqCst), 1);
    server.stop().await;
}

#[tokio::test]
async fn metrics_are_served_only_where_they_are_asked_for() {
    for (asked_for, status) in [(true, 200), (false, 404)] {
        let server = Running::start(|options| options.metrics = asked_for);
        assert_eq!(server.get("/metrics").await.status, status);
        server.stop().await;
    }
}

#[tokio::test]
async fn published_names_of_health_and_metrics_say_the_same() {
    let alive = Arc::new(AtomicBool::new(true));
    let server = Running::start_app(
        |options| {
            options.health_kept_ms = 0;
            options.metrics = true;
        },
        app(&alive),
    );
    for path in ["/actuator/health", "/api/orders/actuator/health", "/api/cart/actuator/health/readiness"] {
        let health = server.get(path).await;
        assert_eq!((health.status, &health.json()["status"]), (200, &serde_json::json!("UP")), "{path}");
    }
    assert_eq!(server.get("/actuator/info").await.json()["build"]["version"], "1.2.3");
    assert!(server.get("/actuator/prometheus").await.text().contains("# TYPE http_active_requests"));
    let names = server.get("/actuator/metrics").await.json()["names"].clone();
    assert!(names.as_array().unwrap().contains(&serde_json::json!("http_active_requests")), "{names}");
    alive.store(false, Ordering::SeqCst);
    let down = server.get("/actuator/health").await;
    assert_eq!(
        (down.status, &down.json()["components"]["database"]["status"]),
        (503, &serde_json::json!("DOWN"))
    );
    assert_eq!(server.get("/actuator/health/readiness").await.json()["status"], "OUT_OF_SERVICE");
    assert_eq!(server.get("/actuator/health/liveness").await.json()["status"], "UP");
    server.stop().await;
}
