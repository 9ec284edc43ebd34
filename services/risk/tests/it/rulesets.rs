//! The rules of tenants: drafts, tests, publications, roll-backs, the shadow and backtests.

use std::time::Duration;

use http::Method;
use pando_risk::rules::Ruleset;
use serde_json::{Value, json};

use crate::business;
use crate::pair::{Pair, Process, each_pair};

impl Process {
    /// Makes a draft, and has it tested and published.
    pub(crate) async fn publish(&self, document: &Value) -> Value {
        let draft = self.done(Method::POST, "/v1/rules", &json!({"document": document})).await;
        let path = format!("/v1/rules/{}", draft["number"]);
        let tests = self.done(Method::POST, &format!("{path}/test"), &Value::Null).await;
        assert_eq!(tests["passed"], true, "{tests}");
        self.done(Method::POST, &format!("{path}/publish"), &Value::Null).await
    }
}

/// Rules that decide the same about every request, with a test of their own.
pub(crate) fn always(decision: &str) -> Value {
    let shipped: Value = serde_json::from_str(Ruleset::default_document()).unwrap();
    let expressions = json!([
        {"key": "decision", "value": format!("'{decision}'")},
        {"key": "reason.code", "value": "'always'"},
        {"key": "reason.text", "value": "'It is always so.'"},
        {"key": "reason.weight", "value": "1"},
    ]);
    let test = json!({
        "name": "always", "input": {"score": 0.5, "industry": "retail"}, "expect": {"decision": decision},
    });
    json!({
        "name": format!("always {decision}"), "levels": shipped["levels"], "policies": shipped["policies"],
        "nodes": [
            {"id": "in", "type": "inputNode", "content": {"fields": []}},
            {"id": "all", "type": "expressionNode", "content": {"expressions": expressions}},
            {"id": "out", "type": "outputNode"},
        ],
        "edges": [{"sourceId": "in", "targetId": "all"}, {"sourceId": "all", "targetId": "out"}],
        "tests": [test],
    })
}

#[tokio::test]
async fn a_published_version_decides_in_every_process_and_a_roll_back_ends_that() {
    each_pair(async |Pair { house, one, other }| {
        let before = [one.assess("Acme Ltd").await, other.assess("Bolt Ltd").await];
        let published = one.publish(&always("decline")).await;
        assert_eq!((&published["number"], &published["state"]), (&json!(1), &json!("published")));
        assert!(!published["published_by"].as_str().unwrap().is_empty());
        assert_eq!(one.assess("Acme Ltd").await["decision"], "decline", "the process that published it");
        house.parts.clock.advance(Duration::from_secs(1));
        let declined = other.assess("Bolt Ltd").await;
        assert_eq!(declined["metadata"]["ruleset_version"], "always decline", "within a second");
        one.publish(&always("review")).await;
        let restored = one.done(Method::POST, "/v1/rules/1/rollback", &Value::Null).await;
        assert_eq!(
            (&restored["number"], &restored["restores"], &restored["rolled_back_from"]),
            (&json!(3), &json!(1), &json!(2))
        );
        house.parts.clock.advance(Duration::from_secs(1));
        assert_eq!(other.assess("Bolt Ltd").await["decision"], "decline");
        let page = one.get("/v1/rules?limit=2").await;
        let states: Vec<&Value> =
            page["rulesets"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
        assert_eq!((states, &page["live"]), (vec![&json!("published"), &json!("retired")], &json!(3)));
        assert_eq!(one.get("/v1/rules?limit=2&before=2").await["rulesets"][0]["number"], 1);
        for made in before.iter().chain([&declined]) {
            let path = format!("/v1/assess/{}/replay", made["id"].as_str().unwrap());
            assert_eq!(other.get(&path).await["same"], true, "by the rules of its time");
        }
    })
    .await;
}

#[tokio::test]
async fn a_document_with_faults_is_refused_with_the_place_of_each() {
    each_pair(async |Pair { one, .. }| {
        let mut document = always("approve");
        document["edges"][0]["targetId"] = json!("nowhere");
        document["nodes"][1]["content"]["expressions"][0]["value"] = json!("1 +");
        document["levels"]["medium"] = json!(0.9);
        let answer = one.send(Method::POST, "/v1/rules", &json!({"document": document})).await;
        assert_eq!(answer.status, 400);
        let error = answer.json()["error"].clone();
        let fields: Vec<&str> = error["validation"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["field"].as_str().unwrap())
            .collect();
        for place in
            ["document/levels", "document/edges/0/targetId", "document/nodes/1/content/expressions/0/value"]
        {
            assert!(fields.contains(&place), "{place}: {fields:?}");
        }
        let answer = one.send(Method::POST, "/v1/rules", &json!({"document": "text"})).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["field"]), (400, &json!("document")));
    })
    .await;
}

#[tokio::test]
async fn a_draft_is_published_only_if_its_tests_pass() {
    each_pair(async |Pair { one, .. }| {
        let mut document = always("approve");
        document["tests"][0]["expect"]["decision"] = json!("decline");
        one.done(Method::POST, "/v1/rules", &json!({"document": document, "note": "wrong"})).await;
        let tests = one.done(Method::POST, "/v1/rules/1/test", &Value::Null).await;
        assert_eq!((&tests["passed"], &tests["failures"][0]["test"]), (&json!(false), &json!("always")));
        assert_eq!(tests["ruleset"]["state"], "draft");
        let refused = one.send(Method::POST, "/v1/rules/1/publish", &Value::Null).await;
        assert_eq!(refused.status, 409);
        assert_eq!(refused.json()["error"]["validation"][0]["field"], "tests.always");
        assert_eq!(one.get("/v1/rules").await["live"], 0, "the shipped rules decide");

        let changed = json!({"document": always("approve"), "note": "right"});
        let stale = [("if-match", "\"7\"")];
        let refused = one.server.ask(Method::PUT, "/v1/rules/1", &stale, changed.to_string()).await;
        assert_eq!(refused.status, 412);
        let fresh = [("if-match", "\"1\"")];
        let answer = one.server.ask(Method::PUT, "/v1/rules/1", &fresh, changed.to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["note"]), (200, &json!("right")));
        let published = one.done(Method::POST, "/v1/rules/1/publish", &Value::Null).await;
        assert_eq!(published["state"], "published");
        let refused = one.send(Method::PUT, "/v1/rules/1", &changed).await;
        assert_eq!(refused.status, 409, "a published version never changes");
        assert_eq!(one.send(Method::GET, "/v1/rules/9", &Value::Null).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_version_is_tried_on_a_request_with_a_trace_and_compared_with_another() {
    each_pair(async |Pair { one, .. }| {
        let made = one.assess("Acme Ltd").await;
        let asked = json!({"assessment_id": made["id"]});
        let tried = one.done(Method::POST, "/v1/rules/0/evaluate", &asked).await;
        assert_eq!(tried["verdict"]["decision"], made["decision"]);
        assert!(tried["verdict"]["trace"]["nodes"].as_array().unwrap().len() > 3, "{tried}");
        one.done(Method::POST, "/v1/rules", &json!({"document": always("review")})).await;
        let asked = json!({"request": {"score": 2, "industry": "retail"}});
        let tried = one.done(Method::POST, "/v1/rules/1/evaluate", &asked).await;
        assert_eq!((&tried["verdict"], &tried["error"]["place"]), (&Value::Null, &json!("field `score`")));
        assert_eq!(one.send(Method::POST, "/v1/rules/1/evaluate", &json!({})).await.status, 400);
        one.done(Method::POST, "/v1/rules", &json!({"document": always("decline")})).await;
        let compared = one.get("/v1/rules/compare?from=1&to=2").await;
        let places: Vec<&Value> =
            compared["differences"].as_array().unwrap().iter().map(|one| &one["pointer"]).collect();
        let value = "/nodes/1/content/expressions/0/value";
        assert_eq!(places, [&json!("/name"), &json!(value), &json!("/tests/0/expect/decision")]);
    })
    .await;
}

#[tokio::test]
async fn a_version_in_the_shadow_decides_nothing_and_its_differences_are_counted() {
    each_pair(async |Pair { house, one, other }| {
        one.done(Method::POST, "/v1/rules", &json!({"document": always("decline")})).await;
        one.done(Method::POST, "/v1/rules/1/shadow", &Value::Null).await;
        house.parts.clock.advance(Duration::from_secs(1));
        let made = one.assess("Acme Ltd").await;
        assert_ne!(made["decision"], "decline");
        let batch = json!({"requests": [business("Bolt Ltd"), business("Cork Ltd")]});
        other.done(Method::POST, "/v1/assess/batch", &batch).await;
        other.get("/v1/rules/shadow").await;
        let report = one.get("/v1/rules/shadow").await;
        let summary = &report["summary"];
        assert_eq!((&report["number"], &summary["compared"]), (&json!(1), &json!(3)), "{report}");
        assert_eq!(summary["different"], 3);
        let examples = summary["examples"].as_array().unwrap();
        assert!(examples.iter().any(|example| example["request"] == made["id"]));
        assert_eq!(examples[0]["difference"]["outcome"]["candidate"], "decline");
        one.done(Method::DELETE, "/v1/rules/shadow", &Value::Null).await;
        assert_eq!(one.send(Method::DELETE, "/v1/rules/shadow", &Value::Null).await.status, 404);
        one.assess("Dorn Ltd").await;
        assert_eq!(one.get("/v1/rules/shadow").await["number"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_backtest_counts_what_a_version_would_have_decided() {
    each_pair(async |Pair { house, one, other }| {
        for first in 0..7 {
            let many: Vec<Value> =
                (0..100).map(|number| business(&format!("Acme {first} {number}"))).collect();
            one.done(Method::POST, "/v1/assess/batch", &json!({"requests": many})).await;
            house.parts.clock.advance(Duration::from_millis(1));
        }
        one.done(Method::POST, "/v1/rules", &json!({"document": always("decline")})).await;
        let run = one.done(Method::POST, "/v1/rules/1/backtest", &json!({})).await;
        assert_eq!(run["status"], "running");
        let path = format!("/v1/rules/backtests/{}", run["id"].as_str().unwrap());
        house.parts.queue.run_until_idle(&other.registry).await.unwrap();
        let done = one.get(&path).await;
        assert_eq!(
            (&done["status"], &done["summary"]["compared"]),
            (&json!("completed"), &json!(700)),
            "{done}"
        );
        assert_eq!(done["summary"]["different"], 700);
        assert_eq!(done["summary"]["examples"].as_array().unwrap().len(), 20);
        assert_eq!(one.send(Method::DELETE, &path, &Value::Null).await.status, 409);

        let few = one.done(Method::POST, "/v1/rules/0/backtest", &json!({"limit": 501})).await;
        let cancelled = one.done(Method::POST, "/v1/rules/1/backtest", &json!({})).await;
        let path = |run: &Value| format!("/v1/rules/backtests/{}", run["id"].as_str().unwrap());
        one.done(Method::DELETE, &path(&cancelled), &Value::Null).await;
        house.parts.queue.run_until_idle(&one.registry).await.unwrap();
        let few = one.get(&path(&few)).await;
        assert_eq!((&few["summary"]["compared"], &few["summary"]["different"]), (&json!(501), &json!(0)));
        let cancelled = one.get(&path(&cancelled)).await;
        assert_eq!(
            (&cancelled["status"], &cancelled["summary"]["compared"]),
            (&json!("cancelled"), &json!(0))
        );
        let bad = one.send(Method::POST, "/v1/rules/1/backtest", &json!({"from": "soon", "limit": 0})).await;
        assert_eq!(bad.json()["error"]["validation"].as_array().unwrap().len(), 2);
    })
    .await;
}
