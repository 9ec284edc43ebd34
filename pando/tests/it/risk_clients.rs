//! Clients of risk decisions as they were published, in Python and in Node: every method, every key of its answer, every error.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use pando_servers::python;
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;

const LISTED: [(&str, &str); 3] = [
    ("PANDO_RISK__SAMPLE_LIST", "true"),
    ("PANDO_RISK__SAMPLE_MEDIA", "true"),
    ("PANDO_AUTH__MODE", "required"),
];

/// The keys of every error that a client reads.
fn is_error(body: &Value, code: &str) {
    assert_eq!(body["error"]["code"], code, "{body}");
    assert!(body["error"]["message"].is_string() && body["error"]["validation"].is_array(), "{body}");
    for key in ["request_id", "timestamp", "path", "method"] {
        assert!(body[key].is_string(), "{key}: {body}");
    }
}

#[test]
fn published_clients_find_every_key_and_every_error() {
    for place in Place::both() {
        place.printed(&["migrate"], &[]);
        let key = |role: &str| {
            place.printed(&["keys", "create", "--name", role, "--role", role, "--tenant", "acme"], &[])
        };
        let keys = [key("admin"), key("readonly")];
        let running = place.start(&LISTED);
        let scripts = [(python(), "risk.py"), ("node".into(), "risk.mjs")];
        for (program, script) in scripts {
            let script = format!("{}/tests/clients/{script}", env!("CARGO_MANIFEST_DIR"));
            let mut command = Command::new(program);
            command.arg(&script).arg(running.address.to_string()).args(keys.iter().map(|key| key.trim()));
            let ended = command.output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "{}, {script}: {said}", place.name);
            let counts: Value = serde_json::from_slice(&ended.stdout).unwrap();
            assert_eq!(counts, json!({"calls": 16, "errors": 13}), "{script}");
        }
    }
}

#[test]
fn errors_of_the_server_itself_have_the_published_form() {
    let place = Place::sqlite();
    let running = place.start(&[("PANDO_HTTP__BODY_GRACE_MS", "300"), ("PANDO_RISK__SAMPLE_LIST", "false")]);
    // A body that does not come: 408.
    let mut stream = TcpStream::connect(running.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = "POST /v1/assess HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    is_error(&serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap(), "REQUEST_TIMEOUT");

    let mut client = Client::connect(running.address).unwrap();
    for (path, body) in [
        ("/v1/sanctions/screen", json!({"business_name": "Acme"})),
        (
            "/v1/media/monitor",
            json!({"business_name": "Acme", "business_address": "1 Main Street, Springfield"}),
        ),
    ] {
        let reply = client.json("POST", path, &body).unwrap();
        assert_eq!(reply.status, 503, "{reply:?}");
        is_error(&reply.value(), "SERVICE_UNAVAILABLE");
    }
}

#[test]
fn a_request_past_its_deadline_gets_a_gateway_timeout() {
    let place = Place::sqlite();
    let running = place.start(&[("PANDO_HTTP__DEADLINE_MS", "1")]);
    let body = json!({
        "business_name": "Acme", "business_address": "1 Main Street, Springfield", "industry": "retail",
        "country": "US", "prediction_horizons": [1, 2, 3, 4, 5], "include_scenario_analysis": true,
    });
    let reply =
        Client::connect(running.address).unwrap().json("POST", "/v1/risk/predict-advanced", &body).unwrap();
    assert_eq!(reply.status, 504, "{reply:?}");
    is_error(&reply.value(), "GATEWAY_TIMEOUT");
}

#[test]
fn a_tenant_with_too_many_monitorings_gets_a_conflict() {
    let place = Place::sqlite();
    let running = place.start(&[("PANDO_RISK__SAMPLE_MEDIA", "true"), ("PANDO_RISK__MONITORINGS_MAX", "1")]);
    let mut client = Client::connect(running.address).unwrap();
    let body = json!({"business_name": "Acme", "business_address": "1 Main Street, Springfield"});
    assert_eq!(client.json("POST", "/v1/media/monitor", &body).unwrap().status, 200);
    let reply = client.json("POST", "/v1/media/monitor", &body).unwrap();
    assert_eq!(reply.status, 409, "{reply:?}");
    is_error(&reply.value(), "CONFLICT");
}

#[test]
fn a_model_that_cannot_be_read_keeps_the_server_from_starting() {
    let place = Place::sqlite();
    let models = place.folder().join("models");
    std::fs::create_dir(&models).unwrap();
    std::fs::write(models.join("sequence-2.json"), "{}").unwrap();
    let output = place.run(&["serve", "--listen", "127.0.0.1:0"], &[("PANDO_RISK__MODELS", "models")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("sequence-2"), "{said}");
}
