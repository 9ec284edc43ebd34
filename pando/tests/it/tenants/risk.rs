//! Assessments of a tenant, and how they are called with names of somebody else.

use serde_json::{Value, json};

use super::walker::{Names, Walker};

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
    let made = walker.json("POST", "/api/v1/media/monitor", &[], &asked);
    assert_eq!(made.status, 200, "{made:?}");
    names.insert("monitoring", made.value()["monitoring_id"].as_str().unwrap().to_owned());
}

pub(super) fn create(walker: &mut Walker<'_>) {
    let (key, asked) = (walker.name("key"), business(walker, &Names::new()));
    for _ in 0..2 {
        walker.json("POST", ASSESS, &[("idempotency-key", &key)], &asked);
    }
    walker.json("POST", ASSESS, &[], &asked);
}

pub(super) fn create_batch(walker: &mut Walker<'_>) {
    let asked = business(walker, &Names::new());
    walker.json("POST", &format!("{ASSESS}/batch"), &[], &json!({"requests": [asked, {}]}));
}

pub(super) fn analyze(walker: &mut Walker<'_>) {
    let asked = json!({"assessment_id": walker.name("assessment"), "monte_carlo_runs": 10, "seed": 1});
    walker.json("POST", "/api/v1/scenarios/analyze", &[], &asked);
}

pub(super) fn predict_advanced(walker: &mut Walker<'_>) {
    let mut asked = business(walker, &Names::new());
    asked["prediction_horizons"] = json!([3]);
    asked["include_temporal_analysis"] = json!(true);
    let json = [("content-type", "application/json")];
    let body = asked.to_string();
    let mut answer =
        walker.send_unnoted("POST", "/api/v1/risk/predict-advanced", &json, body.as_bytes()).value();
    // It takes another time each time.
    answer.as_object_mut().unwrap().remove("processing_time");
    walker.note(&answer.to_string());
}

pub(super) fn check_compliance(walker: &mut Walker<'_>) {
    let (key, mut asked) = (walker.name("key"), business(walker, &Names::new()));
    asked["compliance_types"] = json!(["kyc", "aml"]);
    walker.json("POST", "/api/v1/compliance/check", &[("idempotency-key", &key)], &asked);
}

pub(super) fn monitor(walker: &mut Walker<'_>) {
    let (key, asked) = (walker.name("key"), business(walker, &Names::new()));
    walker.json("POST", "/api/v1/media/monitor", &[("idempotency-key", &key)], &asked);
}

/// Counts of the whole process, which differ each time.
pub(super) fn model_performance(walker: &mut Walker<'_>) {
    let status = walker.send_unnoted("GET", "/api/v1/models/performance", &[], b"").status;
    walker.note(&format!("GET /api/v1/models/performance\n{status}\nfigures"));
}
