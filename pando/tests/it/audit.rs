//! The audit log of the real binary: what services change is in it, and who meddles with it is found out.

use std::time::Duration;

use pando_clock::Clock;
use pando_database::{Database, DatabaseOptions, Query, SqliteOptions, params};
use pando_resilience::Call;
use pando_servers::until;
use pando_telemetry::{Metrics, Secret};

use crate::engines::Place;

const ON: &[(&str, &str)] = &[("PANDO_AUDIT__ENABLED", "true"), ("PANDO_AUDIT__SEAL_MS", "20")];
const PATIENCE: Duration = Duration::from_secs(30);

/// Changes by somebody who can write to the database, and the findings.
const TAMPERED: [(Query, &str); 2] = [
    (
        Query::write("test.change", "update audit_entries set actor = 'nobody' where number = 2"),
        "fail  entry 2 was changed",
    ),
    (
        Query::write("test.remove", "delete from audit_entries where number = 3"),
        "fail  entries 3 to 3 are missing",
    ),
];

#[tokio::main(flavor = "current_thread")]
async fn write(place: &Place, query: &Query) {
    let options = match place.url() {
        Some(url) => DatabaseOptions { url: Some(Secret::new(url)), ..DatabaseOptions::default() },
        None => DatabaseOptions {
            sqlite: SqliteOptions { path: place.folder().join("pando.db"), ..SqliteOptions::default() },
            ..DatabaseOptions::default()
        },
    };
    let database = Database::open(&options, &Metrics::new(), &Clock::system()).await.unwrap();
    let mut tx = database.transaction(&Call::internal("test", PATIENCE)).await.unwrap();
    assert_eq!(tx.execute(query, params![]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    database.close().await;
}

#[test]
fn changes_are_recorded_and_meddling_is_named() {
    for place in Place::both() {
        let running = place.start(ON);
        let heads = place.folder().join("heads");
        let heads = heads.to_str().unwrap();
        assert_eq!(place.printed(&["audit", "verify"], ON), "the audit log is empty\n");
        let ask = |method: &str, path: &str, body: &str| {
            let answer = running.ask(method, path, body);
            assert!((200..300).contains(&answer.status), "{answer:?}");
        };
        ask("POST", "/api/v1/customers", r#"{"id": "1", "name": "Ann", "email": "ann@example.org"}"#);
        ask("PATCH", "/api/v1/customers/1", r#"{"name": "Bob"}"#);
        ask("POST", "/api/v1/profiles", r#"{"name": "Cyd", "email": "cyd@example.org"}"#);
        ask(
            "POST",
            "/api/v1/customers/batch",
            r#"{"customers": [{"name": "Dan", "email": "d@example.org"}, {"name": "Eve", "email": "e@example.org"}]}"#,
        );
        ask("DELETE", "/api/v1/customers/1", "");
        let intact = |arguments: &[&str]| {
            let verdict = place.printed(&[&["audit", "verify"], arguments].concat(), ON);
            verdict.starts_with("ok    6 entries, head 6:").then_some(verdict)
        };
        until("all changes are sealed", PATIENCE, || intact(&["--heads", heads]).is_some());
        assert!(intact(&["--expect", heads]).is_some());
        let kept = std::fs::read_to_string(heads).unwrap();
        for (query, finding) in &TAMPERED {
            write(&place, query);
            let output = place.run(&["audit", "verify"], ON);
            let found = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(1), "{found}");
            assert!(found.contains(finding), "{found}");
        }
        // A head that the log never had.
        std::fs::write(heads, kept.replace("6:", "5:")).unwrap();
        let output = place.run(&["audit", "verify", "--expect", heads], ON);
        assert!(String::from_utf8(output.stdout).unwrap().contains("is not the one that was expected"));
        std::fs::write(heads, "head of a cabbage\n").unwrap();
        let output = place.run(&["audit", "verify", "--expect", heads], ON);
        assert_ne!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stderr).unwrap().contains("line 1"));
    }
}

#[test]
fn without_the_setting_nothing_is_recorded() {
    let place = Place::sqlite();
    let running = place.start(&[]);
    let made = running.ask("POST", "/api/v1/customers", r#"{"name": "Ann", "email": "ann@example.org"}"#);
    assert_eq!(made.status, 201);
    assert_eq!(place.printed(&["audit", "verify"], &[]), "the audit log is empty\n");
}
