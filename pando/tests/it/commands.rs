//! The verbs that do not serve.

use std::collections::BTreeSet;

use pando_database::testing::TestPostgres;
use serde_json::Value;

use crate::engines::Place;
use crate::harness::{Running, ask, complaint, pando, printed, run, to_its_end};

#[test]
fn settings_are_printed_with_their_origin_and_without_their_secrets() {
    let data = tempfile::tempdir().unwrap();
    let output = to_its_end(
        pando(data.path()).args(["config", "print"]).env("DB_HOST", "db").env("DB_PASSWORD", "opensesame"),
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("database.host = \"db\"  # DB_HOST\n"), "{text}");
    assert!(text.contains("database.password = \"***\"  # DB_PASSWORD\n"), "{text}");
    assert!(text.contains("http.deadline_ms = 3000  # default\n"), "{text}");
    assert!(text.contains("# http.pod_name is not set\n"), "{text}");
    assert!(text.contains("  # --data\n") && !text.contains("opensesame"), "{text}");
    text.parse::<toml::Table>().unwrap();
}

#[test]
fn settings_are_checked_in_words() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("pando.toml"), "[http]\nlistn = \"127.0.0.1:1\"\n").unwrap();
    let output = run(data.path(), &["config", "check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("`http.listn`; the nearest one is `http.listen`"), "{output:?}");
    std::fs::write(data.path().join("pando.toml"), "").unwrap();
    let output = to_its_end(pando(data.path()).args(["config", "check"]).env("RATE_LIMIT_REQUESTS", "5"));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("warn  RATE_LIMIT_REQUESTS: accepted"), "{said}");
    let output =
        to_its_end(pando(data.path()).args(["config", "check"]).env("PANDO_TLS__AUTHORITIES", "company.pem"));
    let (said, place) = (complaint(&output), data.path().join("company.pem"));
    assert!(said.contains("tls.authorities") && said.contains(place.to_str().unwrap()), "{said}");
}

#[test]
fn migrations_are_shown_then_applied_then_done() {
    let data = tempfile::tempdir().unwrap();
    let shown = printed(data.path(), &["migrate", "--dry-run"]);
    assert!(shown.contains("would apply profiles 1 profiles"), "{shown}");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "a dry run makes nothing");
    let applied = printed(data.path(), &["migrate"]);
    assert_eq!(applied, shown.replace("would apply", "applied"));
    assert_eq!(printed(data.path(), &["migrate"]), "the schema is up to date\n");
    assert_eq!(printed(data.path(), &["migrate", "--dry-run"]), "the schema is up to date\n");
}

#[test]
fn seeding_twice_makes_the_same_people_once() {
    let data = tempfile::tempdir().unwrap();
    let first = printed(data.path(), &["seed", "--profiles", "1500"]);
    assert!(first.starts_with("1500 profiles created, 0 were there already"), "{first}");
    let second = printed(data.path(), &["seed", "--profiles", "1600"]);
    assert!(second.starts_with("100 profiles created, 1500 were there already"), "{second}");
    let others = printed(data.path(), &["seed", "--profiles", "10", "--seed", "2"]);
    assert!(others.starts_with("10 profiles created"), "{others}");
}

#[test]
fn seeding_twice_makes_the_same_products_once() {
    let data = tempfile::tempdir().unwrap();
    let first = printed(data.path(), &["seed", "--products", "1500"]);
    assert!(first.starts_with("1500 products created, 0 were there already"), "{first}");
    let second = printed(data.path(), &["seed", "--products", "1600", "--profiles", "10"]);
    assert!(second.contains("10 profiles created"), "{second}");
    assert!(second.contains("100 products created, 1500 were there already"), "{second}");
}

#[test]
fn the_doctor_finds_a_fresh_machine_well() {
    let data = tempfile::tempdir().unwrap();
    printed(data.path(), &["migrate"]);
    let report = printed(data.path(), &["doctor"]);
    for line in [
        "ok    settings: ",
        "ok    stopping: ",
        "ok    database: ",
        "ok    pool: ",
        "ok    schema: up to date",
    ] {
        assert!(report.contains(line), "{line} is not in\n{report}");
    }
    assert!(report.contains("open files: ") && report.contains("disk: "), "{report}");
    assert!(!report.contains("fail "), "{report}");
}

#[test]
fn the_doctor_looks_and_does_not_touch() {
    let data = tempfile::tempdir().unwrap();
    let report = printed(data.path(), &["doctor"]);
    assert!(report.contains("ok    database: the first start will create "), "{report}");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
}

#[test]
fn the_doctor_counts_the_connections_of_a_server() {
    let data = tempfile::tempdir().unwrap();
    let server = TestPostgres::shared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let name = runtime.block_on(server.create_database());
    let doctor = |replicas: &str| {
        let mut command = pando(data.path());
        command.args(["doctor", "--replicas", replicas]);
        command.env("DATABASE_URL", server.url()).env("PANDO_DATABASE__DATABASE", &name);
        to_its_end(&mut command)
    };
    let output = doctor("1");
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report}");
    for line in
        ["ok    database: PostgreSQL ", "ok    connections: 1 processes may open 25", "ok    clocks: "]
    {
        assert!(report.contains(line), "{line} is not in\n{report}");
    }
    assert!(report.contains("warn  schema: migrations to apply: "), "{report}");
    let output = doctor("1000");
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("fail  connections: 1000 processes may open 25000"), "{report}");
    assert!(report.contains("raise the server's max_connections by "), "{report}");
    runtime.block_on(server.drop_database(&name));
}

#[test]
fn the_doctor_says_what_to_change() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(
        data.path().join("pando.toml"),
        "[http]\nlisten = \"0.0.0.0:80\"\ndrain_ms = 1\n[database]\nurl = \"postgres://u:opensesame@127.0.0.1:1/d\"\n",
    )
    .unwrap();
    let output = run(data.path(), &["doctor"]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{report}");
    for part in
        ["fail  settings: http.listen", "set http.drain_ms = 3000", "fail  database: postgres://u:***@"]
    {
        assert!(report.contains(part), "{part} is not in\n{report}");
    }
    assert!(!report.contains("opensesame"), "{report}");
}

#[test]
fn clients_are_generated_from_the_description_that_this_program_prints() {
    let data = tempfile::tempdir().unwrap();
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../clients/openapi.json");
    let kept = std::fs::read_to_string(kept).unwrap();
    // Both have half a megabyte, so neither is shown.
    let same = printed(data.path(), &["openapi"]).trim() == kept.trim();
    assert!(same, "the file differs: run `cargo run -- openapi > clients/openapi.json`");
}

#[test]
fn the_document_is_printed_and_nothing_is_left_behind() {
    let data = tempfile::tempdir().unwrap();
    let text = printed(data.path(), &["openapi"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
    for path in ["/", "/health", "/api/v1/profiles", "/api/v1/profiles/{id}", "/api/v1/tasks/{id}"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "the data directory was not needed");
    let read = &document["paths"]["/api/v1/profiles/{id}"]["get"];
    let names: Vec<&str> =
        read["parameters"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"Pando-Consistency") && names.contains(&"If-None-Match"), "{names:?}");
    let image = &document["paths"]["/api/v1/profiles/{id}/images"]["post"]["requestBody"]["content"];
    assert!(image["image/png"]["schema"].to_string().contains("ImageBytes"), "{image}");
    for rest in text.split("\"#/components/schemas/").skip(1) {
        let name = rest.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name} is referred to and is not there"
        );
    }
    // As it comes, without what tests ask for.
    let running = Running::start(data.path(), &[], &[("PANDO_HTTP__METRICS", "false")]);
    assert_eq!(
        text.trim_end(),
        running.ask("GET", "/openapi.json", "").body,
        "what is served, byte for byte"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own_that_says_what_it_is_about() {
    let place = Place::sqlite();
    let mut running = place.start(&[]);
    let names = |address| {
        let document = ask(address, "GET", "/openapi.json", "").json();
        let items: Vec<Value> = document["paths"].as_object().unwrap().values().cloned().collect();
        let operations = items.iter().flat_map(|item| item.as_object().unwrap().values());
        let names = operations.filter_map(|operation| operation["operationId"].as_str());
        let names: Vec<String> = names.map(ToOwned::to_owned).collect();
        let distinct: BTreeSet<String> = names.iter().cloned().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        distinct
    };
    let public = names(running.address);
    for name in [
        "list_profiles",
        "create_profile",
        "profile_history",
        "customer_history",
        "list_tasks",
        "create_task",
        "read_task",
        "task_events",
    ] {
        assert!(public.contains(name), "{name} is not among {public:?}");
    }
    let operators = names(running.admin());
    for name in ["list_queues", "pause_queue", "clear_cache"] {
        assert!(operators.contains(name), "{name} is not among {operators:?}");
    }
}

#[test]
fn the_version_is_one_line() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(printed(data.path(), &["version"]), format!("pando {}\n", pando::VERSION));
}
