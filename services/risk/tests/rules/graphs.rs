//! Graphs: data along edges, switches, traces, and the assembly of verdicts.

use pando_risk::rules::{Decision, Level};
use serde_json::{Value, json};

use super::{chain, document, evaluate, expressions, faults, parsed};

fn request() -> Value {
    json!({"score": 0.65, "industry": "Real Estate", "amount": 5})
}

fn fields() -> Value {
    json!([{"path": "amount", "type": "number", "required": true}])
}

fn input() -> Value {
    json!({"id": "in", "type": "inputNode", "content": {"fields": fields()}})
}

fn output() -> Value {
    json!({"id": "out", "type": "outputNode"})
}

fn switch(policy: &str, statements: &[(&str, &str)]) -> Value {
    let statements: Vec<Value> =
        statements.iter().map(|(id, condition)| json!({"id": id, "condition": condition})).collect();
    json!({"id": "switch", "type": "switchNode", "content": {"hitPolicy": policy, "statements": statements}})
}

fn edges(edges: &[(&str, &str, &str)]) -> Vec<Value> {
    let edge = |(from, handle, to): &(&str, &str, &str)| match *handle {
        "" => json!({"sourceId": from, "targetId": to}),
        handle => json!({"sourceId": from, "targetId": to, "sourceHandle": handle}),
    };
    edges.iter().map(edge).collect()
}

/// `in` leads to a switch with the branches `small` and `large`, which meet in `after`.
fn branches(policy: &str, conditions: [&str; 2]) -> Value {
    let nodes = vec![
        input(),
        expressions("after", &[("decision", "size == 'large' ? 'review' : 'approve'"), ("flag", "size")]),
        expressions("small", &[("size", "'small'")]),
        expressions("large", &[("size", "'large'")]),
        switch(policy, &[("s", conditions[0]), ("l", conditions[1])]),
        output(),
    ];
    document(
        nodes,
        edges(&[
            ("in", "", "switch"),
            ("switch", "s", "small"),
            ("switch", "l", "large"),
            ("small", "", "after"),
            ("large", "", "after"),
            ("after", "", "out"),
        ]),
    )
}

#[test]
fn a_switch_runs_the_branches_whose_statements_hold() {
    let first = branches("first", ["amount < 10", ""]);
    let verdict = evaluate(&first, &request()).unwrap();
    assert_eq!((verdict.decision, verdict.flags), (Decision::Approve, vec!["small".to_owned()]));
    let mut large = request();
    large["amount"] = json!(50);
    let verdict = evaluate(&first, &large).unwrap();
    assert_eq!((verdict.decision, verdict.flags), (Decision::Review, vec!["large".to_owned()]));
    // Both branches write `size`: the one that runs later counts.
    assert_eq!(evaluate(&branches("collect", ["true", "true"]), &request()).unwrap().flags, ["large"]);
    let error = evaluate(&branches("first", ["false", "amount > 10"]), &request()).unwrap_err();
    assert_eq!(error.to_string(), "node `switch`, its statements: no statement holds");
}

#[test]
fn only_outputs_of_nodes_that_lead_here_can_be_read() {
    let nodes = vec![
        input(),
        expressions("a", &[("x", "1"), ("decision", "'approve'")]),
        expressions("b", &[("y", "x")]),
        output(),
    ];
    let beside = edges(&[("in", "", "a"), ("in", "", "b"), ("a", "", "out"), ("b", "", "out")]);
    let found = faults(&document(nodes.clone(), beside));
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("`x` is neither a declared field nor an output"), "{found:?}");
    let behind = edges(&[("in", "", "a"), ("a", "", "b"), ("b", "", "out")]);
    assert!(evaluate(&document(nodes, behind), &request()).is_ok());
}

#[test]
fn an_output_of_a_branch_that_did_not_run_is_an_error() {
    let mut document = branches("first", ["amount < 10", ""]);
    document["nodes"][2] = expressions("small", &[("other", "1")]);
    let error = evaluate(&document, &request()).unwrap_err();
    assert_eq!(error.to_string(), "node `after`, key `decision`: no node that writes `size` has run");
}

#[test]
fn the_most_severe_decision_counts_and_reasons_are_in_the_order_of_their_weights() {
    let reason = |id: &str, decision: &str, weight: &str| {
        let code = format!("'{id}'");
        let entries = [
            ("decision", decision),
            ("reason.code", code.as_str()),
            ("reason.text", "'Because.'"),
            ("reason.weight", weight),
            ("flag", "'f'"),
            ("case", "amount > 100 ? 'c' : null"),
        ];
        expressions(id, &entries)
    };
    let nodes =
        [reason("a", "'approve'", "0.2"), reason("b", "'decline'", "0.9"), reason("c", "'review'", "0.2")];
    let verdict = evaluate(&chain(fields(), &nodes), &request()).unwrap();
    assert_eq!(verdict.decision, Decision::Decline);
    assert_eq!(verdict.level, Level::High);
    let codes: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(codes, ["b", "a", "c"]);
    assert_eq!((verdict.flags, verdict.cases), (vec!["f".to_owned()], vec![]));
}

#[test]
fn a_missing_decision_and_outputs_of_a_wrong_type_are_errors() {
    let message = |entries: &[(&str, &str)]| {
        evaluate(&chain(fields(), &[expressions("e", entries)]), &request()).unwrap_err().to_string()
    };
    let none = message(&[("decision", "amount > 100 ? 'review' : null")]);
    assert_eq!(none, "node `out`, the end: no node has written a decision");
    let wrong = message(&[("decision", "'de' + 'ny'")]);
    assert_eq!(wrong, "node `e`, key `decision`: the output must be approve, review or decline");
    let half =
        [("decision", "'review'"), ("reason.code", "'c'"), ("reason.text", "null"), ("reason.weight", "1")];
    assert!(message(&half).contains("a reason has a code, a text and a weight"));
    let weight = [
        ("decision", "'review'"),
        ("reason.code", "'c'"),
        ("reason.text", "'t'"),
        ("reason.weight", "amount"),
    ];
    assert!(message(&weight).contains("the output must be a number from 0 to 1"));
}

#[test]
fn a_request_without_a_required_field_or_with_a_wrong_type_is_an_error() {
    let ruleset = parsed(&chain(fields(), &[expressions("e", &[("decision", "'approve'")])]));
    for (request, message) in [
        (
            json!({"score": 0.1, "industry": "x"}),
            "node `in`, field `amount`: the field is required and missing",
        ),
        (
            json!({"score": 0.1, "industry": "x", "amount": "5"}),
            "node `in`, field `amount`: the field has the wrong type: a text",
        ),
        (
            json!({"industry": "x", "amount": 5}),
            "node `in`, field `score`: the field is required and missing",
        ),
        (
            json!({"score": 1.1, "industry": "x", "amount": 5}),
            "node `in`, field `score`: the score is not from 0 to 1",
        ),
        (json!([1]), "node `in`, the request: a request is an object"),
    ] {
        assert_eq!(ruleset.evaluate(&request, false).unwrap_err().to_string(), message, "{request}");
    }
}

#[test]
fn a_trace_names_the_nodes_that_ran_with_their_inputs_and_outputs() {
    let trace = evaluate(&branches("first", ["amount < 10", ""]), &request()).unwrap().trace.unwrap();
    assert_eq!(
        serde_json::to_value(trace).unwrap(),
        json!({"truncated": false, "nodes": [
            {"id": "in", "name": "", "kind": "inputNode", "inputs": {}, "outputs": {}, "matched": []},
            {"id": "switch", "name": "", "kind": "switchNode", "inputs": {"amount": 5.0}, "outputs": {}, "matched": ["s"]},
            {"id": "small", "name": "", "kind": "expressionNode", "inputs": {}, "outputs": {"size": "small"}, "matched": []},
            {"id": "after", "name": "", "kind": "expressionNode", "inputs": {"size": "small"},
                "outputs": {"decision": "approve", "flag": "small"}, "matched": []},
            {"id": "out", "name": "", "kind": "outputNode", "inputs": {}, "outputs": {}, "matched": []},
        ]})
    );
}

#[test]
fn a_trace_is_bounded() {
    let fields = json!([{"path": "amount", "type": "number"}, {"path": "word", "type": "string"}]);
    let texts: Vec<String> = (0..40).map(|number| format!("out_{number}")).collect();
    let node = |id: usize| {
        let mut entries: Vec<(&str, &str)> = texts.iter().map(|text| (text.as_str(), "word")).collect();
        entries[0] = ("decision", "'approve'");
        expressions(&format!("n{id}"), &entries)
    };
    let nodes: Vec<Value> = (0..100).map(node).collect();
    let request = json!({"score": 0.1, "industry": "x", "amount": 1, "word": "ü".repeat(100_000)});
    let trace = evaluate(&chain(fields, &nodes), &request).unwrap().trace.unwrap();
    assert!(trace.truncated);
    assert!(serde_json::to_string(&trace).unwrap().len() < 128 * 1024);
}

#[test]
fn an_industry_has_its_policy_and_its_levels() {
    let mut document = chain(fields(), &[expressions("e", &[("decision", "'approve'"), ("flag", "policy")])]);
    document["policies"]["real_estate"] = json!({"weights": {"financial": 0.5, "legal": 0.5}, "levels": {"medium": 0.1, "high": 0.2, "critical": 0.5}});
    let ruleset = parsed(&document);
    let verdict = ruleset.evaluate(&request(), false).unwrap();
    assert_eq!(
        (verdict.level, verdict.levels.critical, verdict.flags),
        (Level::Critical, 0.5, vec!["real_estate".to_owned()])
    );
    assert_eq!(ruleset.policy("Real-Estate").unwrap().1.weights["legal"], 0.5);
    assert_eq!(ruleset.policy("gardening").unwrap().0, "general");
    for (score, level) in [
        (0.0, Level::Low),
        (0.29999, Level::Low),
        (0.3, Level::Medium),
        (0.6, Level::High),
        (0.8, Level::Critical),
        (1.0, Level::Critical),
    ] {
        let request = json!({"score": score, "industry": "other", "amount": 5});
        assert_eq!(ruleset.evaluate(&request, false).unwrap().level, level, "{score}");
    }
}
