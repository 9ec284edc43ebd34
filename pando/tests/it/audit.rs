//! The audit log of the real binary: what services change is in it, and who meddles with it is found out.

use std::time::Duration;

use pando_clock::Clock;
use pando_database::{Database, DatabaseOptions, Query, SqliteOptions, params};
use pando_resilience::Call;
use pando_servers::until;
use pando_telemetry::{Metrics, Secret};
use rustix::process::Signal;
use serde_json::Value;

use crate::client::Client;
use crate::engines::Place;
use crate::erasure::connect;

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

async fn open(place: &Place) -> Database {
    let options = match place.url() {
        Some(url) => DatabaseOptions { url: Some(Secret::new(url)), ..DatabaseOptions::default() },
        None => DatabaseOptions {
            sqlite: SqliteOptions { path: place.folder().join("pando.db"), ..SqliteOptions::default() },
            ..DatabaseOptions::default()
        },
    };
    Database::open(&options, &Metrics::new(), &Clock::system()).await.unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn write(place: &Place, query: &Query) {
    let database = open(place).await;
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

const REQUIRED: (&str, &str) = ("PANDO_AUTH__MODE", "required");

/// The entries of the log in their order: actor, credential, address, action, thing, its id, result, details.
#[tokio::main(flavor = "current_thread")]
async fn entries(place: &Place) -> Vec<[String; 8]> {
    const ENTRIES: Query = Query::scan(
        "test.entries",
        "select actor, credential, client, action, resource, resource_id, result, details from audit_entries \
         order by tenant, number",
    );
    let database = open(place).await;
    let call = Call::internal("test", PATIENCE);
    let rows = database.read_primary(&call).rows(&ENTRIES, params![]).await.unwrap();
    database.close().await;
    rows.iter().map(|row| std::array::from_fn(|column| row.get(column).unwrap())).collect()
}

#[test]
fn every_act_of_an_operator_or_a_client_names_its_credential() {
    for place in Place::both() {
        place.printed(&["migrate"], &[]);
        let key = place.printed(&["keys", "create", "--name", "shop", "--role", "admin"], ON);
        let (key, id) = (key.trim(), key.split('_').nth(2).unwrap().to_owned());
        let mut variables = ON.to_vec();
        variables.extend([REQUIRED, ("PANDO_ADMIN__ENABLED", "true")]);
        let mut running = place.start(&variables);
        let (mut client, mut admin) = (connect(&running), Client::connect(running.admin()).unwrap());
        let headers = [("content-type", "application/json"), ("x-api-key", key)];
        let mut ask = |is_admin: bool, method: &str, path: &str, body: &str| {
            let asked = if is_admin { &mut admin } else { &mut client };
            let reply = asked.send(method, path, &headers, body.as_bytes()).unwrap();
            assert!((200..300).contains(&reply.status), "{path}: {reply:?}");
            reply
        };
        let task = r#"{"task_type": "echo", "data": {}, "delay": "1h"}"#;
        let task = ask(false, "POST", "/api/v1/tasks/delayed", task).value();
        let task = task["id"].as_str().unwrap().to_owned();
        ask(false, "DELETE", &format!("/api/v1/tasks/{task}"), "");
        let schedule = "/api/v1/schedules/nightly";
        let fields = r#"{"cron": "0 3 * * *", "task_type": "echo", "data": {}}"#;
        ask(false, "PUT", schedule, fields);
        ask(false, "PUT", schedule, fields);
        ask(false, "DELETE", schedule, "");
        let person = r#"{"name": "Ann", "email": "ann@example.org"}"#;
        let person = ask(false, "POST", "/api/v1/profiles", person).value();
        let person = person["id"].as_str().unwrap().to_owned();
        let erasure = ask(false, "POST", &format!("/api/v1/profiles/{person}/erase"), "").value();
        let erasure = erasure["id"].as_str().unwrap().to_owned();
        until("the person is erased", PATIENCE, || {
            entries(&place).iter().any(|entry| entry[3] == "profile_erased")
        });
        ask(true, "POST", "/api/v1/admin/queues/default/pause", "");
        ask(true, "POST", "/api/v1/admin/queues/default/resume", "");
        ask(true, "POST", "/admin/cache/profiles/clear", "");
        ask(true, "POST", "/admin/cache/profiles/expire", "");
        place.printed(&["queue", "pause", "default"], ON);
        place.printed(&["keys", "revoke", &id], ON);
        until("all acts are sealed", PATIENCE, || entries(&place).len() == 15);
        let credential = format!("key:{id}");
        let by_key = |action, thing, id| ["key:shop", &credential, "127.0.0.1", action, thing, id];
        let by_command = |action, thing, id| ["system", "", "", action, thing, id];
        let mut expected = [
            by_command("key_created", "key", &id),
            by_key("job_created", "job", &task),
            by_key("job_cancelled", "job", &task),
            by_key("schedule_created", "schedule", "nightly"),
            by_key("schedule_changed", "schedule", "nightly"),
            by_key("schedule_deleted", "schedule", "nightly"),
            by_key("profile_created", "profile", &person),
            by_key("job_created", "job", &erasure),
            ["system", "", "", "profile_erased", "profile", &person],
            by_key("queue_paused", "queue", "default"),
            by_key("queue_resumed", "queue", "default"),
            by_key("cache_cleared", "cache", "profiles"),
            by_key("cache_expired", "cache", "profiles"),
            by_command("queue_paused", "queue", "default"),
            by_command("key_revoked", "key", &id),
        ];
        let entries = entries(&place);
        let mut found: Vec<[&str; 6]> =
            entries.iter().map(|it| std::array::from_fn(|at| it[at].as_str())).collect();
        // Entries of two processes are sealed in the order of their ids, which are made by two clocks.
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn refused_requests_are_recorded_within_a_budget_and_the_others_are_counted() {
    for place in Place::both() {
        place.printed(&["migrate"], &[]);
        let key = place.printed(&["keys", "create", "--name", "eyes", "--role", "readonly"], &[]);
        let (key, id) = (key.trim(), key.split('_').nth(2).unwrap());
        let mut variables = ON.to_vec();
        variables.extend([REQUIRED, ("PANDO_AUDIT__REFUSED_PER_MINUTE", "3")]);
        let running = place.start(&variables);
        let mut client = connect(&running);
        let profile = "/api/v1/profiles/01900000-0000-7000-8000-000000000001";
        for _ in 0..10 {
            assert_eq!(client.get(profile).unwrap().status, 401);
            assert_eq!(client.send("DELETE", profile, &[("x-api-key", key)], b"").unwrap().status, 403);
            let forged = format!("{key}x");
            assert_eq!(client.send("GET", profile, &[("x-api-key", &forged)], b"").unwrap().status, 401);
        }
        place.printed(&["keys", "revoke", id], &[]);
        until("the key is refused", PATIENCE, || {
            connect(&running).send("GET", profile, &[("x-api-key", key)], b"").unwrap().status == 401
        });
        running.tell(Signal::TERM);
        drop(running.ended());
        // The last entries wait for another process.
        let running = place.start(ON);
        until("the log is sealed", PATIENCE, || {
            place.printed(&["audit", "verify"], ON).starts_with("ok") && !entries(&place).is_empty()
        });
        drop(running);
        let entries = entries(&place);
        let credential = format!("key:{id}");
        let (mut strangers, mut callers, mut counted) = (0, 0, 0);
        for [actor, by, address, action, thing, operation, result, details] in &entries {
            let details: Value = serde_json::from_str(details).unwrap();
            assert_eq!((result.as_str(), thing.as_str()), ("refused", "operation"));
            match (actor.as_str(), action.as_str()) {
                (_, "requests_refused") => counted += details["more"].as_u64().unwrap(),
                ("", _) => {
                    strangers += 1;
                    assert_eq!(operation, "GET /api/v1/profiles/{id}");
                    assert_eq!(details["code"], "unauthenticated");
                }
                (name, _) => {
                    callers += 1;
                    assert_eq!((name, by, address.as_str()), ("key:eyes", &credential, "127.0.0.1"));
                }
            }
        }
        assert!(strangers >= 3 && callers >= 3, "{entries:#?}");
        // A minute may end meanwhile. The last request was refused, and recorded or counted.
        assert!(strangers + callers + counted >= 31, "{entries:#?}");
        assert!(strangers <= 6 && callers <= 6, "{entries:#?}");
    }
}
