//! The platform inside another program: nothing of it is global.

use std::path::Path;

use pando::{Config, Platform};
use pando_clock::Clock;
use tokio::sync::oneshot;

use crate::harness::ask;

fn config(data: &Path) -> Config {
    let mut config = Config { data_dir: data.to_owned(), ..Config::default() };
    config.http.listen = "127.0.0.1:0".parse().unwrap();
    (config.http.drain_delay_ms, config.http.metrics) = (0, true);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn two_platforms_in_one_process_do_not_know_of_each_other() {
    let (one_dir, two_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = Clock::system();
    let one = Platform::start(&config(one_dir.path()), &clock).await.unwrap();
    let two = Platform::start(&config(two_dir.path()), &clock).await.unwrap();
    let (one_address, two_address) = (one.address(), two.address());
    let (stop_one, one_stopped) = oneshot::channel::<()>();
    let (stop_two, two_stopped) = oneshot::channel::<()>();
    let one = pando_telemetry::spawn("one", one.run(async { drop(one_stopped.await) }));
    let two = pando_telemetry::spawn("two", two.run(async { drop(two_stopped.await) }));

    let asking = tokio::task::spawn_blocking(move || {
        let body = r#"{"name": "Zoë", "email": "zoe@example.com"}"#;
        assert_eq!(ask(one_address, "POST", "/api/v1/profiles", body).status, 201);
        assert_eq!(ask(one_address, "POST", "/api/v1/profiles", body).status, 409);
        assert_eq!(ask(two_address, "GET", "/api/v1/profiles", "").body, "[]");
        let created = r#"http_requests_total{endpoint="/api/v1/profiles",method="POST""#;
        assert!(ask(one_address, "GET", "/metrics", "").body.contains(created));
        assert!(!ask(two_address, "GET", "/metrics", "").body.contains(created));
        drop(stop_one);
        two_address
    });
    let two_address = asking.await.unwrap();
    assert_eq!(one.await.unwrap().requests_aborted, 0);
    let alive = tokio::task::spawn_blocking(move || ask(two_address, "GET", "/health", "").status);
    assert_eq!(alive.await.unwrap(), 200);
    drop(stop_two);
    assert_eq!(two.await.unwrap().connections_aborted, 0);
}
