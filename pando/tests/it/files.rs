//! Exports and imports by tasks, through the real binary: with a folder and with an S3.

use std::time::Duration;

use pando_servers::S3;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::engines::Place;
use crate::harness::Running;
use crate::images::in_s3;

const API: &str = "/api/v1/profiles";
const TASKS: &str = "/api/v1/tasks";
const PATIENCE: Duration = Duration::from_secs(120);

/// Follows a task to its end.
fn ended(client: &mut Client, accepted: &Reply) -> Value {
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let place = accepted.header("location").unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let task = client.get(&format!("{place}?wait=10s")).unwrap().value();
        if ["completed", "failed", "cancelled"].contains(&task["status"].as_str().unwrap_or_default()) {
            return task;
        }
        assert!(std::time::Instant::now() < deadline, "it never ends: {task}");
    }
}

fn make(client: &mut Client, name: &str) -> String {
    let email = format!("{}@example.org", name.to_lowercase());
    let made = client.json("POST", API, &json!({"name": name, "email": email})).unwrap();
    format!("{API}/{}", made.value()["id"].as_str().unwrap())
}

#[test]
fn an_export_is_fetched_alike_from_a_folder_and_from_an_s3() {
    let s3 = S3::start();
    let endpoint = s3.endpoint();
    for variables in [&[][..], &in_s3(&s3, &endpoint)] {
        let data = tempfile::tempdir().unwrap();
        let running = Running::start(data.path(), &[], variables);
        let mut client = Client::connect(running.address).unwrap();
        let zoe = make(&mut client, "Zoë");
        make(&mut client, "Ann");

        let key = [("idempotency-key", "k")];
        let accepted = client.send("POST", &format!("{zoe}/data-export"), &key, b"").unwrap();
        let receipt = ended(&mut client, &accepted)["result"].clone();
        let again = client.send("POST", &format!("{zoe}/data-export"), &key, b"").unwrap();
        assert_eq!((again.status, &again.body), (202, &accepted.body), "the same key, the same task");
        let fetched = client.get(receipt["path"].as_str().unwrap()).unwrap();
        assert_eq!(fetched.value()["profile"]["name"], "Zoë");
        assert_eq!(json!(fetched.body.len()), receipt["bytes"]);
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "private, no-store"),
            ("content-disposition", "attachment; filename=\"data-export.json\""),
        ] {
            assert_eq!(fetched.header(name), Some(value));
        }

        let task = json!({"task_type": "export", "data": {"format": "csv"}});
        let accepted = client.json("POST", &format!("{TASKS}/delayed"), &task).unwrap();
        let receipt = ended(&mut client, &accepted)["result"].clone();
        assert_eq!(receipt["profiles"], 2);
        let path = receipt["path"].as_str().unwrap();
        let fetched = client.get(path).unwrap();
        let streamed = client.get(&format!("{API}:export?format=csv")).unwrap();
        assert_eq!(
            (fetched.header("content-type"), &fetched.body),
            (Some("text/csv; charset=utf-8"), &streamed.body)
        );
        let head = client.send("HEAD", path, &[], b"").unwrap();
        assert_eq!(head.header("content-length"), Some(receipt["bytes"].to_string().as_str()));
        assert_eq!(client.get(&path.replace("/api/v1/exports/", "/media/")).unwrap().status, 404);
        assert_eq!(data.path().join("objects").exists(), variables.is_empty(), "an S3 needs no folder");
    }
}

#[test]
fn an_upload_is_imported_by_a_task_for_who_prefers_it() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = Client::connect(running.address).unwrap();
        let text = "{\"name\":\"L\",\"email\":\"l@example.org\"}\nnonsense\n";
        let target = format!("{API}:import?token=t");
        let plain = ("content-type", "application/x-ndjson");
        let prefer = ("prefer", "wait=10, Respond-Async; x=y");
        let accepted = client.send("POST", &target, &[plain, prefer], text.as_bytes()).unwrap();
        assert_eq!(accepted.header("preference-applied"), Some("respond-async"), "{accepted:?}");
        let task = ended(&mut client, &accepted);
        assert_eq!((&task["id"], &task["task_type"]), (&accepted.value()["id"], &json!("import")));
        // Without the preference, all is as it was: the import itself is the answer.
        let waited = client.send("POST", &target, &[plain], text.as_bytes()).unwrap();
        assert_eq!((waited.status, waited.header("preference-applied")), (202, None));
        assert_eq!(waited.value(), task["result"], "on {}", place.name);
        assert_eq!((&task["result"]["created"], &task["result"]["invalid"]), (&json!(1), &json!(1)));
        let found = client.get(&format!("{API}?email=l@example.org")).unwrap().value();
        assert_eq!(found[0]["name"], "L");
        let refused = client.send("POST", &target, &[prefer, ("content-type", "image/png")], b"x").unwrap();
        assert_eq!(refused.status, 415);
    }
}

#[test]
fn what_is_no_export_is_not_found_and_what_cannot_be_one_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[]);
    let mut client = Client::connect(running.address).unwrap();
    let nobody = "00000000-0000-7000-8000-000000000000";
    for target in [format!("/api/v1/exports/{nobody}"), "/api/v1/exports/x".into()] {
        let reply = client.get(&target).unwrap();
        assert_eq!((reply.status, &reply.value()["code"]), (404, &json!("not_found")), "{target}");
    }
    let reply = client.send("POST", &format!("{API}/{nobody}/data-export"), &[], b"").unwrap();
    assert_eq!(reply.status, 404);
    for data in [json!({"profile_id": "x"}), json!({"format": "xml"}), json!(7)] {
        let task = json!({"task_type": "export", "data": data});
        assert_eq!(client.json("POST", &format!("{TASKS}/delayed"), &task).unwrap().status, 422, "{data}");
    }
    let task = json!({"task_type": "export", "data": {"profile_id": nobody}});
    let accepted = client.json("POST", &format!("{TASKS}/delayed"), &task).unwrap();
    assert_eq!(ended(&mut client, &accepted)["status"], "failed");
}
