//! Assessments of a tenant, and how they are called with names of somebody else.

use std::time::Duration;

use pando_servers::until;
use serde_json::{Value, json};

use super::walker::{Names, Walker};

const PATIENCE: Duration = Duration::from_secs(30);
const ASSESS: &str = "/api/v1/assess";

/// The business of a tenant. Others describe the same one: its earlier assessments are nothing to them.
fn business(walker: &Walker<'_>, names: &Names) -> Value {
    let email = names.get("email").cloned().unwrap_or_else(|| walker.name("email"));
    json!({
        "business_name": "Acme Trading Ltd", "business_address": "1 Main Street, Springfield", "industry": "retail",
        "country": "US", "email": email, "phone": "+15551234567",
    })
}

pub(super) fn live(walker: &mut Walker<'_>, names: &mut Names) {
    let asked = business(walker, names);
    let made = walker.json("POST", ASSESS, &[("idempotency-key", &names["key"])], &asked);
    assert_eq!(made.status, 200, "{made:?}");
    names.insert("assessment", made.value()["id"].as_str().unwrap().to_owned());
    let asked = json!({"requests": [asked, {}], "created_by": "wilhelmina"});
    let made = walker.json("POST", &format!("{ASSESS}/batch/async"), &[], &asked);
    assert_eq!(made.status, 201, "{made:?}");
    wait_for(walker, &made.value());
    names.insert("batch", made.value()["id"].as_str().unwrap().to_owned());
}

pub(super) fn create(walker: &mut Walker<'_>) {
    let (key, asked) = (walker.name("key"), business(walker, &Names::new()));
    for _ in 0..2 {
        walker.json("POST", ASSESS, &[("idempotency-key", &key)], &asked);
    }
    walker.json("POST", ASSESS, &[], &asked);
}

pub(super) fn assess_batch(walker: &mut Walker<'_>) {
    let asked = business(walker, &Names::new());
    walker.json("POST", &format!("{ASSESS}/batch"), &[], &json!({"requests": [asked, {}]}));
}

pub(super) fn create_batch(walker: &mut Walker<'_>) {
    let asked = json!({"requests": [business(walker, &Names::new()), {}], "created_by": walker.name("word")});
    let made = walker.json(
        "POST",
        &format!("{ASSESS}/batch/async"),
        &[("idempotency-key", &walker.name("key"))],
        &asked,
    );
    wait_for(walker, &made.value());
}

pub(super) fn submit_batch(walker: &mut Walker<'_>) {
    let asked = json!({"businesses": [business(walker, &Names::new())], "options": {"priority": "high"}});
    let made = walker.json("POST", "/api/v1/batch/assess", &[], &asked);
    wait_for(walker, &made.value());
}

/// Waits until a batch is done, so that no job of it runs while other requests are compared.
fn wait_for(walker: &Walker<'_>, batch: &Value) {
    let path = format!("{ASSESS}/batch/{}", batch["batch_id"].as_str().unwrap());
    until("the batch is done", PATIENCE, || {
        walker.send_unnoted("GET", &path, &[], b"").value()["status"] == "completed"
    });
}
