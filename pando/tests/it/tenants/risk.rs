//! Assessments of a tenant, and how they are called with names of somebody else.

use std::time::Duration;

use pando_servers::until;
use serde_json::{Value, json};

use super::walker::{Names, Walker};

const PATIENCE: Duration = Duration::from_secs(30);
const ASSESS: &str = "/api/v1/assess";
const LISTS: &str = "/api/v1/lists";
const RULES: &str = "/api/v1/rules";

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
    let media = business(walker, names);
    let made = walker.json("POST", "/api/v1/media/monitor", &[], &media);
    assert_eq!(made.status, 200, "{made:?}");
    names.insert("monitoring", made.value()["monitoring_id"].as_str().unwrap().to_owned());
    rules(walker, names);
    let made = walker.json("POST", "/api/v1/monitoring", &[], &monitored("Monitored Ltd"));
    names.insert("business", made.value()["business_id"].as_str().unwrap().to_owned());
    lists(walker, names);
    let cases = walker.get("/api/v1/cases?status=open").value();
    names.insert("case", cases["cases"][0]["id"].as_str().unwrap().to_owned());
}

/// A version that decides, one in the shadow, and a run over the assessment.
fn rules(walker: &mut Walker<'_>, names: &mut Names) {
    let mut done = |path: &str, body: &Value| {
        let reply = walker.json("POST", &format!("{RULES}{path}"), &[], body);
        assert!(reply.status < 300, "{path}: {reply:?}");
        reply.value()
    };
    for _ in 0..2 {
        done("", &careful());
    }
    done("/1/test", &Value::Null);
    done("/1/publish", &Value::Null);
    done("/2/shadow", &Value::Null);
    let run = done("/1/backtest", &json!({}));
    names.insert("backtest", run["id"].as_str().unwrap().to_owned());
    let path = format!("{RULES}/backtests/{}", names["backtest"]);
    until("the run has ended", Duration::from_secs(30), || {
        walker.send_unnoted("GET", &path, &[], b"").value()["status"] == "completed"
    });
}

/// A list that watches for a name.
fn lists(walker: &mut Walker<'_>, names: &mut Names) {
    let made = walker.json("POST", LISTS, &[], &json!({"name": "names to watch", "kind": "watch"}));
    names.insert("list", made.value()["id"].as_str().unwrap().to_owned());
    let entry = json!([{"id": "1", "name": names["word"]}]);
    let added = walker.json("POST", &format!("{LISTS}/{}/entries", names["list"]), &[], &entry);
    assert_eq!(added.status, 200, "{added:?}");
}

/// A business to monitor, whose id is the same for all tenants.
pub(super) fn monitored(name: &str) -> Value {
    json!({"business_name": name, "business_address": "1 Main Street, Springfield", "country": "US"})
}

pub(super) fn of_case(walker: &mut Walker<'_>, route: &str, body: &Value) {
    let path = format!("/api/v1/cases/{}/{route}", walker.name("case"));
    walker.json("POST", &path, &[], body);
    walker.json("POST", &path, &[("if-match", "\"1\"")], body);
}

pub(super) fn of_list(walker: &mut Walker<'_>, method: &str, route: &str, body: &Value) {
    let path = format!("{LISTS}/{}{route}", walker.name("list"));
    walker.json(method, &path, &[], body);
    walker.json(method, &path, &[("if-match", "\"2\"")], body);
}

/// The entry of the owner's list is nothing to anybody else.
pub(super) fn false_positive(walker: &mut Walker<'_>) {
    let screened = json!({"business_name": walker.name("word")});
    let found = walker.json("POST", "/api/v1/sanctions/screen", &[], &screened);
    let business = json!("biz_00000000000000000000000000000000");
    let version =
        if found.status == 200 { found.value()["matches"][0]["entry_version"].clone() } else { json!("1") };
    let it = json!({"business_id": business, "source": "names to watch", "entry_id": "1",
        "entry_version": version, "reason": "another"});
    walker.json("POST", "/api/v1/sanctions/false-positives", &[], &it);
}

/// A draft that says review to everybody.
pub(super) fn careful() -> Value {
    json!({"note": "careful", "document": {
        "name": "careful", "levels": {"medium": 0.3, "high": 0.6, "critical": 0.8},
        "policies": {"general": {"weights": {"financial": 0.5, "compliance": 0.5}}},
        "nodes": [
            {"id": "in", "type": "inputNode", "content": {"fields": []}},
            {"id": "all", "type": "expressionNode", "content": {"expressions": [
                {"key": "decision", "value": "'review'"}, {"key": "reason.code", "value": "'careful'"},
                {"key": "reason.text", "value": "'We look at everybody.'"}, {"key": "reason.weight", "value": "1"}]}},
            {"id": "out", "type": "outputNode"}],
        "edges": [{"sourceId": "in", "targetId": "all"}, {"sourceId": "all", "targetId": "out"}],
        "tests": [{"name": "one", "input": {"score": 0.1, "industry": "retail"}, "expect": {"decision": "review"}}],
    }})
}

/// Calls a route of the versions of somebody: the one that decides, the one in the shadow, and one that nobody has.
pub(super) fn of_ruleset(walker: &mut Walker<'_>, method: &str, route: &str, body: &Value) {
    for number in [1, 2, 99] {
        walker.json(method, &format!("{RULES}/{number}{route}"), &[], body);
    }
}

pub(super) fn evaluate(walker: &mut Walker<'_>) {
    let assessment = walker.name("assessment");
    for number in [0, 1, 99] {
        let path = format!("{RULES}/{number}/evaluate");
        walker.json("POST", &path, &[], &json!({"assessment_id": assessment}));
        walker.json("POST", &path, &[], &json!({"request": {"score": 0.2, "industry": "retail"}}));
    }
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
