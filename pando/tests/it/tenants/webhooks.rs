//! Webhooks of a tenant, and how they are called with names of somebody else.

use std::time::Duration;

use pando_servers::until;
use serde_json::{Value, json};

use super::walker::{Names, Walker};

const WEBHOOKS: &str = "/api/v1/webhooks";
const PATIENCE: Duration = Duration::from_secs(30);

/// A webhook, and a delivery that is a dead letter: its address leads to this machine, where none may lead.
pub(super) fn live(walker: &mut Walker<'_>, names: &mut Names) {
    let fields = json!({
        "name": names["word"], "url": "https://localhost/", "events": ["webhook.test"],
        "retry_policy": {"max_retries": 0},
    });
    let made = walker.json("POST", WEBHOOKS, &[("idempotency-key", &names["key"])], &fields);
    names.insert("webhook", made.value()["webhook_id"].as_str().unwrap().to_owned());
    let place = format!("{WEBHOOKS}/{}", names["webhook"]);
    let sent = walker.send("POST", &format!("{place}/test"), &[], b"");
    names.insert("delivery", sent.value()["id"].as_str().unwrap().to_owned());
    let delivery = format!("/api/v1/deliveries/{}", names["delivery"]);
    let is_dead = || walker.send_unnoted("GET", &delivery, &[], b"").value()["status"] == "dead";
    until("the event is a dead letter", PATIENCE, is_dead);
}

pub(super) fn list(walker: &mut Walker<'_>) {
    for query in ["", "?page_size=1", "?status=active", "?event_type=webhook.test"] {
        walker.get(&format!("{WEBHOOKS}{query}"));
    }
    walker.get(&format!("{WEBHOOKS}?search={}", walker.name("word")));
}

pub(super) fn list_deliveries(walker: &mut Walker<'_>) {
    let place = format!("{WEBHOOKS}/{}/deliveries", walker.name("webhook"));
    walker.get(&place);
    walker.get(&format!("{place}?status=dead"));
    walker.get(&format!("{place}?cursor={}", walker.name("delivery")));
}

/// Calls a route of the webhook, as it is, with a version, and with a key.
pub(super) fn of_webhook(walker: &mut Walker<'_>, method: &str, route: &str, body: &Value) {
    let path = format!("{WEBHOOKS}/{}{route}", walker.name("webhook"));
    let key = walker.name("key");
    let all: [&[(&str, &str)]; 3] = [&[], &[("if-match", "\"1\"")], &[("idempotency-key", &key)]];
    for headers in if method == "GET" { &all[..1] } else { &all } {
        match body {
            Value::Null => walker.send(method, &path, headers, b""),
            body => walker.json(method, &path, headers, body),
        };
    }
}

pub(super) fn create(walker: &mut Walker<'_>) {
    let key = walker.name("key");
    let fields = json!({
        "name": walker.name("word"), "url": "https://localhost/", "events": ["webhook.test"],
        "secret": "one-secret-for-every-tenant",
    });
    for _ in 0..2 {
        walker.json("POST", WEBHOOKS, &[("idempotency-key", &key)], &fields);
    }
}
