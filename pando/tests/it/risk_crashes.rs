//! kill -9 in the middle of a run of rules over stored assessments: it goes on where it stopped, and counts nothing twice.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;
use crate::harness::Running;
use crate::tasks::SHORT_LEASES;

const PATIENCE: Duration = Duration::from_secs(60);
const BATCHES: usize = 40;

/// Rules that decline everybody.
fn strict() -> Value {
    json!({"document": {
        "name": "strict", "levels": {"medium": 0.3, "high": 0.6, "critical": 0.8},
        "policies": {"general": {"weights": {"financial": 0.5, "compliance": 0.5}}},
        "nodes": [
            {"id": "in", "type": "inputNode", "content": {"fields": []}},
            {"id": "all", "type": "expressionNode", "content": {"expressions": [
                {"key": "decision", "value": "'decline'"}, {"key": "reason.code", "value": "'strict'"},
                {"key": "reason.text", "value": "'Nobody.'"}, {"key": "reason.weight", "value": "1"}]}},
            {"id": "out", "type": "outputNode"}],
        "edges": [{"sourceId": "in", "targetId": "all"}, {"sourceId": "all", "targetId": "out"}],
    }})
}

fn batch(number: usize) -> Value {
    let one = |place: usize| {
        json!({
            "business_name": format!("Acme {number} {place}"), "business_address": "1 Main Street, Springfield",
            "industry": "retail", "country": "US",
        })
    };
    json!({"requests": (0..100).map(one).collect::<Vec<_>>()})
}

#[test]
fn a_backtest_that_is_killed_goes_on_and_counts_each_assessment_once() {
    for place in Place::both() {
        let running = place.start(SHORT_LEASES);
        let mut client = Client::connect(running.address).unwrap();
        let mut done = |path: &str, body: &Value| {
            let reply = client.json("POST", path, body).unwrap();
            assert!(reply.status < 300, "{path}: {reply:?}");
            reply.value()
        };
        for number in 0..BATCHES {
            done("/api/v1/assess/batch", &batch(number));
        }
        done("/api/v1/rules", &strict());
        let run = done("/api/v1/rules/1/backtest", &json!({}));
        let path = format!("/api/v1/rules/backtests/{}", run["id"].as_str().unwrap());
        let compared = |run: &Value| run["summary"]["compared"].as_u64().unwrap_or_default();
        let read = |running: &Running| Client::connect(running.address).unwrap().get(&path).unwrap().value();
        pando_servers::until("the run has begun", PATIENCE, || compared(&read(&running)) > 0);
        running.tell(Signal::KILL);
        let again = place.start(SHORT_LEASES);
        pando_servers::until("the run has ended", PATIENCE, || read(&again)["status"] == "completed");
        let ended = read(&again);
        let all = u64::try_from(BATCHES * 100).unwrap();
        assert_eq!((compared(&ended), &ended["summary"]["different"]), (all, &json!(all)), "{}", place.name);
    }
}
