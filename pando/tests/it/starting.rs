//! What a start does, says and refuses.

use std::path::Path;

use pando_clock::Clock;
use pando_database::{Database, DatabaseOptions, Migration, MigrationSet, SqliteOptions};
use pando_telemetry::Metrics;
use serde_json::json;

use crate::harness::{Running, complaint, pando, run, to_its_end};

const ZOE: &str = r#"{"name": "Zoë", "email": "zoe@example.com"}"#;

#[test]
fn nothing_configured_serves_from_a_file() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[]);
    assert!(data.path().join("pando.db").exists());

    let health = running.ask("GET", "/health", "");
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("healthy")), "{health:?}");
    assert!(health.body.contains("database"), "{health:?}");
    let door = running.ask("GET", "/", "");
    assert_eq!(door.status, 200);
    assert!(door.head.contains("content-security-policy: default-src 'self'"), "{door:?}");
    for page in ["/shop", "/profiles/some-id", "/shop/products/some-id"] {
        assert_eq!(running.ask("GET", page, "").status, 200, "{page}");
    }
    for other in [
        "/api/v1/nothing",
        "/v1/nothing",
        "/admin/nothing",
        "/docs/nothing",
        "/nothing",
        "/assets/nothing.js",
    ] {
        let answer = running.ask("GET", other, "");
        assert_eq!(answer.status, 404, "{other}");
        assert!(answer.json()["code"].is_string(), "{other}: {answer:?}");
    }
    assert_eq!(running.ask("GET", "/docs", "").status, 200);
    assert!(running.ask("GET", "/metrics", "").body.contains("process_resident_memory_bytes"));

    let made = running.ask("POST", "/api/v1/profiles", ZOE);
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let read = running.ask("GET", &format!("/api/v1/profiles/{id}"), "");
    assert_eq!(read.json()["profile"]["name"], "Zoë");
}

#[test]
fn the_operations_of_operators_are_beside_the_services_unless_strangers_may_call() {
    for (variable, value, status) in [
        ("PANDO_ADMIN__CONSOLE", "true", 200),
        ("PANDO_ADMIN__CONSOLE", "false", 404),
        ("PANDO_ADMIN__ENABLED", "false", 404),
        ("PANDO_AUTH__MODE", "off", 404),
    ] {
        let data = tempfile::tempdir().unwrap();
        let enabled = ("PANDO_ADMIN__ENABLED", "true");
        let running = Running::start(data.path(), &[], &[enabled, (variable, value)]);
        for path in ["/admin/cache", "/api/v1/admin/queues", "/admin/live?figures=1"] {
            assert_eq!(running.ask("GET", path, "").status, status, "{variable}={value}: {path}");
        }
        assert!(!running.ask("GET", "/openapi.json", "").body.contains("/admin/cache"));
    }
}

#[test]
fn live_figures_count_what_callers_do() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[("PANDO_ADMIN__ENABLED", "true")]);
    for _ in 0..3 {
        assert_eq!(running.ask("GET", "/api/v1/profiles", "").status, 200);
    }
    let live = running.ask("GET", "/admin/live?figures=1", "");
    assert!(live.body.contains("event: figures\n"), "{live:?}");
    let data = live.body.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let figures: serde_json::Value = serde_json::from_str(data).unwrap();
    // The console's own requests are not among them.
    assert_eq!((&figures["requests"], &figures["failures"]), (&json!(3), &json!(0)), "{figures}");
    assert_eq!(figures["latency"].as_array().unwrap().last().unwrap(), &json!([null, 3]));
    assert_eq!(running.ask("GET", "/admin/live?figures=0", "").status, 400);
}

#[test]
fn the_first_lines_say_what_runs_where() {
    let data = tempfile::tempdir().unwrap();
    let port_file = data.path().join("port");
    let arguments = ["--port-file", port_file.to_str().unwrap(), "--roles", "profiles"];
    let mut running = Running::start(data.path(), &arguments, &[("RATE_LIMIT_REQUESTS", "5")]);
    running.until(|line| line["message"].as_str().unwrap().starts_with("authentication is off"));
    let start = running.log.iter().find(|line| line["address"].is_string()).unwrap();
    assert_eq!(start["version"], pando::VERSION);
    assert_eq!(start["roles"], "profiles");
    assert_eq!(start["database"], data.path().join("pando.db").to_str().unwrap());
    assert!(start["took_ms"].as_f64().unwrap() > 0.0);
    let idle = "RATE_LIMIT_REQUESTS: accepted, but without effect in this version";
    assert!(running.log.iter().any(|line| line["level"] == "WARN" && line["message"] == idle));
    // An answer proves that everything before it was done.
    running.ask("GET", "/health/live", "");
    assert_eq!(std::fs::read_to_string(port_file).unwrap(), format!("{}\n", running.address.port()));
}

#[test]
fn an_acknowledged_write_survives_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[]);
    let made = running.ask("POST", "/api/v1/profiles", ZOE);
    let path = format!("/api/v1/profiles/{}", made.json()["id"].as_str().unwrap());
    drop(running);
    let again = Running::start(data.path(), &[], &[]);
    assert_eq!(again.ask("GET", &path, "").json()["profile"], made.json());
}

#[test]
fn other_machines_are_kept_out_until_the_operator_writes_it_down() {
    let data = tempfile::tempdir().unwrap();
    let output = run(data.path(), &["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(1));
    let said = complaint(&output);
    assert!(said.contains("--listen: http.listen: 0.0.0.0:0 can be reached from other machines"), "{said}");
    assert!(!data.path().join("pando.db").exists(), "nothing is touched by a start that is refused");

    let off = [("PANDO_AUTH__MODE", "off")];
    let mut running = Running::start(data.path(), &["--listen", "0.0.0.0:0"], &off);
    let line = running.until(|line| line["message"].as_str().unwrap().starts_with("authentication is off"));
    assert_eq!(line["level"], "WARN");
}

#[test]
fn a_taken_port_is_named_and_its_owner_goes_on() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let running = Running::start(one.path(), &[], &[]);
    let address = running.address.to_string();
    let output = run(two.path(), &["serve", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let said = complaint(&output);
    assert!(said.contains(&format!("cannot listen on {address}")) && said.contains("in use"), "{said}");
    assert_eq!(running.ask("GET", "/health", "").status, 200);
}

#[test]
fn a_schema_from_the_future_is_refused_and_left_alone() {
    let data = tempfile::tempdir().unwrap();
    in_the_future(data.path());
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"], &["doctor"]] {
        let output = run(data.path(), command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let said = format!("{}{}", complaint(&output), String::from_utf8_lossy(&output.stdout));
        assert!(said.contains("profiles up to 99"), "{said}");
    }
}

/// Leaves a database behind as a later version of the program would.
#[tokio::main(flavor = "current_thread")]
async fn in_the_future(data: &Path) {
    let sqlite = SqliteOptions { path: data.join("pando.db"), ..SqliteOptions::default() };
    let options = DatabaseOptions { sqlite, ..DatabaseOptions::default() };
    let database = Database::open(&options, &Metrics::new(), &Clock::system()).await.unwrap();
    let later = Migration { version: 99, name: "later", sql: "create table later (id uuid primary key)" };
    let migrations: Vec<Migration> =
        pando_profiles::MIGRATIONS.migrations.iter().copied().chain([later]).collect();
    let set = MigrationSet { service: "profiles", migrations: migrations.leak() };
    database.migrate(&[set]).await.unwrap();
    database.close().await;
}

#[test]
fn an_outdated_schema_is_refused_when_starts_may_not_migrate() {
    let data = tempfile::tempdir().unwrap();
    let refused = to_its_end(
        pando(data.path()).args(["serve", "--listen", "127.0.0.1:0"]).env("PANDO_MIGRATE_ON_START", "false"),
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(complaint(&refused).contains("run `pando migrate`"), "{}", complaint(&refused));
    assert!(run(data.path(), &["migrate"]).status.success());
    let running = Running::start(data.path(), &[], &[("PANDO_MIGRATE_ON_START", "false")]);
    assert_eq!(running.ask("GET", "/health", "").status, 200);
}

#[test]
fn an_unknown_role_is_answered_with_the_known_ones() {
    let data = tempfile::tempdir().unwrap();
    let said = complaint(&run(data.path(), &["serve", "--roles", "profiles,billing"]));
    assert!(
        said.contains(
            "`billing` is not one of all, profiles, customers, tasks, webhooks, risk, commerce, worker"
        ),
        "{said}"
    );
}

#[test]
fn a_database_that_is_away_is_named_without_its_password() {
    let data = tempfile::tempdir().unwrap();
    // Port 1 is nobody's.
    let url = "postgres://pando:opensesame@127.0.0.1:1/pando";
    let output = to_its_end(
        pando(data.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", url)
            .env("PANDO_DATABASE__POOL__CONNECT_MS", "500"),
    );
    assert_eq!(output.status.code(), Some(1));
    let said = complaint(&output);
    assert!(said.contains("cannot open the database postgres://pando:***@127.0.0.1:1/pando"), "{said}");
    assert!(!said.contains("opensesame"), "{said}");
}
