//! `pando worker`: a process that runs what others took in.

use serde_json::json;

use crate::client::Client;
use crate::engines::Place;
use crate::harness::{complaint, printed, run};

const API: &str = "/api/v1/tasks";

#[test]
fn a_task_that_a_server_without_workers_took_in_is_run_by_the_worker() {
    for place in Place::both() {
        let server = place.start(&[("PANDO_ROLES", "profiles,tasks")]);
        let mut client = Client::connect(server.address).unwrap();
        let task = json!({"type": "echo", "data": {"to": "across"}});
        let created = client.json("POST", &format!("{API}/delayed"), &task).unwrap();
        assert_eq!(created.status, 202, "{created:?}");
        let path = format!("{API}/{}", created.value()["id"].as_str().unwrap());
        assert_eq!(client.get(&path).unwrap().value()["status"], "pending", "nobody runs it yet");
        // Its verb says what it does, whatever the settings say.
        let worker = place.start_verb("worker", &[("PANDO_ROLES", "profiles,tasks")]);
        let started = worker.log.iter().find(|line| line["address"].is_string()).unwrap();
        assert_eq!(started["roles"], "worker", "{started}");
        let done = client.get(&format!("{path}?wait=20s")).unwrap().value();
        assert_eq!(
            (&done["status"], &done["result"]),
            (&json!("completed"), &json!({"to": "across"})),
            "{}",
            place.name
        );
        assert_eq!(worker.ask("GET", "/health", "").json()["status"], "healthy");
        assert!(worker.ask("GET", "/metrics", "").body.contains("process_resident_memory_bytes"));
        for foreign in [API, "/api/v1/profiles"] {
            assert_eq!(worker.ask("GET", foreign, "").status, 404, "{foreign} is not a worker's");
        }
    }
}

#[test]
fn the_worker_explains_itself() {
    let data = tempfile::tempdir().unwrap();
    let help = printed(data.path(), &["worker", "--help"]);
    for part in ["pando serve --roles worker", "--listen <ADDR>", "--port-file <FILE>", "/health"] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert!(printed(data.path(), &["--help"]).contains("\n  worker "));
    let refused = run(data.path(), &["worker", "--roles", "all"]);
    assert!(complaint(&refused).contains("--roles"), "{refused:?}");
}
