//! The rules from outside: documents go in, verdicts and faults come out.
#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error is a failure")]

mod expressions;
mod faults;
mod graphs;
mod hostile;
mod lives;
mod shipped;
mod tables;

use pando_risk::rules::{RuleError, RuleFault, Ruleset, Verdict};
use serde_json::{Value, json};

/// A ruleset whose only nodes between input and output are these, each led to by the one before it.
fn chain(fields: Value, nodes: &[Value]) -> Value {
    let mut all = vec![json!({"id": "in", "type": "inputNode", "content": {"fields": fields}})];
    all.extend(nodes.iter().cloned());
    all.push(json!({"id": "out", "type": "outputNode"}));
    let id = |node: &Value| node["id"].clone();
    let edges: Vec<Value> =
        all.windows(2).map(|pair| json!({"sourceId": id(&pair[0]), "targetId": id(&pair[1])})).collect();
    document(all, edges)
}

fn document(nodes: Vec<Value>, edges: Vec<Value>) -> Value {
    json!({
        "name": "test",
        "levels": {"medium": 0.3, "high": 0.6, "critical": 0.8},
        "policies": {"general": {"weights": {"financial": 1}}},
        "nodes": nodes,
        "edges": edges,
    })
}

/// A node of expressions: keys and values.
fn expressions(id: &str, entries: &[(&str, &str)]) -> Value {
    let entries: Vec<Value> =
        entries.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    json!({"id": id, "type": "expressionNode", "content": {"expressions": entries}})
}

fn parsed(document: &Value) -> Ruleset {
    Ruleset::parse(&document.to_string()).unwrap()
}

fn faults(document: &Value) -> Vec<RuleFault> {
    Ruleset::parse(&document.to_string()).unwrap_err()
}

fn evaluate(document: &Value, request: &Value) -> Result<Verdict, RuleError> {
    parsed(document).evaluate(request, true)
}
