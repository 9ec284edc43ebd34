//! Documents and requests that mean harm: they cost a bounded time, and nothing panics.

use std::time::{Duration, Instant};

use pando_risk::rules::Ruleset;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{chain, evaluate, expressions, parsed};

fn fields() -> Value {
    json!([{"path": "list", "type": "list"}, {"path": "word", "type": "string"}])
}

fn error_of(nodes: &[Value], request: &Value) -> String {
    evaluate(&chain(fields(), nodes), request).unwrap_err().message
}

#[test]
fn a_text_that_doubles_in_each_node_ends_at_its_limit() {
    let mut nodes = vec![expressions("n0", &[("t", "'0123456789'"), ("decision", "'approve'")])];
    nodes.extend(
        (1..150).map(|number| expressions(&format!("n{number}"), &[("t2", "t + t"), ("t", "t2 + t2")])),
    );
    let request = json!({"score": 0.1, "industry": "x"});
    assert_eq!(error_of(&nodes, &request), "the result is a text of more than 10000 bytes");
}

#[test]
fn large_lists_of_a_request_cost_steps() {
    let request = json!({"score": 0.1, "industry": "x", "list": vec![1; 100_000]});
    let condition = vec!["2 in list"; 30].join(" or ");
    let started = Instant::now();
    let message = error_of(&[expressions("e", &[("x", &condition), ("decision", "'approve'")])], &request);
    assert_eq!(message, "the evaluation takes more than 1000000 steps");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn long_texts_of_a_request_cost_steps() {
    let request = json!({"score": 0.1, "industry": "x", "word": "x".repeat(1_000_000)});
    let condition = vec!["word != word"; 100].join(" or ");
    let message = error_of(&[expressions("e", &[("x", &condition), ("decision", "'approve'")])], &request);
    assert_eq!(message, "the evaluation takes more than 1000000 steps");
}

#[test]
fn a_table_of_expensive_rows_ends_at_the_budget() {
    let cell = format!("$ in [{}-1]", "$ - 1,".repeat(320));
    let rows: Vec<Value> =
        (0..900).map(|number| json!({"_id": number.to_string(), "c": cell, "d": "'review'"})).collect();
    let table = json!({"id": "t", "type": "decisionTableNode", "content": {
        "hitPolicy": "collect", "inputs": [{"id": "c", "field": "score"}],
        "outputs": [{"id": "d", "field": "decision"}], "rules": rows,
    }});
    let ruleset = parsed(&chain(fields(), &[table]));
    let started = Instant::now();
    let error = ruleset.evaluate(&json!({"score": 0.1, "industry": "x"}), false).unwrap_err();
    assert_eq!(error.message, "the evaluation takes more than 1000000 steps");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn nesting_of_every_kind_is_refused_or_harmless() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("!", ""), ("len(", ")"), ("1 + (", ")")]
    {
        for count in [63, 64, 65, 200, 400] {
            let expression = format!("{}1{}", open.repeat(count), close.repeat(count));
            let document =
                chain(fields(), &[expressions("e", &[("x", &expression), ("decision", "'approve'")])]);
            if let Ok(ruleset) = Ruleset::parse(&document.to_string()) {
                let _ = ruleset.evaluate(&json!({"score": 0.1, "industry": "x"}), true);
            }
        }
    }
    for chain_of in [" + 1", " == 1", " or true", ".x", "[0]", " ?? 1", " ? 1 : 1"] {
        let expression = format!("1{}", chain_of.repeat(300));
        let document = chain(fields(), &[expressions("e", &[("x", &expression), ("decision", "'approve'")])]);
        if let Ok(ruleset) = Ruleset::parse(&document.to_string()) {
            let _ = ruleset.evaluate(&json!({"score": 0.1, "industry": "x"}), true);
        }
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Ruleset::parse(&deep).unwrap_err()[0].message.contains("recursion limit"));
}

/// A small ruleset with every kind of node.
const SMALL: &str = r#"{"name": "small", "levels": {"medium": 0.3, "high": 0.6, "critical": 0.8},
"policies": {"general": {"weights": {"financial": 0.5, "legal": 0.5}}},
"nodes": [{"id": "in", "type": "inputNode", "content": {"fields": [{"path": "word", "type": "string"}]}},
{"id": "s", "type": "switchNode", "content": {"hitPolicy": "first", "statements": [
{"id": "a", "condition": "score > 0.5 and len(word) in [1..9)"}, {"id": "b"}]}},
{"id": "t", "type": "decisionTableNode", "content": {"hitPolicy": "collect",
"inputs": [{"id": "i", "field": "word"}, {"id": "j", "field": "score * 2"}],
"outputs": [{"id": "d", "field": "decision"}, {"id": "c", "field": "flag"}], "rules": [
{"_id": "1", "i": "'w', 'x'", "j": "[0..2]", "d": "'review'", "c": "'w' + word"},
{"_id": "2", "i": "$ != 'w'", "j": "> 1", "d": "'decline'"}]}},
{"id": "e", "type": "expressionNode", "content": {"expressions": [
{"key": "x", "value": "[1, -2, 3.5e1][1] ?? 4"}, {"key": "decision", "value": "x > 0 ? 'approve' : null"},
{"key": "reason.code", "value": "'c'"}, {"key": "reason.text", "value": "\"Text.\""},
{"key": "reason.weight", "value": "min(1, score, 0.5) / 2"}]}},
{"id": "out", "type": "outputNode"}],
"edges": [{"sourceId": "in", "targetId": "s"}, {"sourceId": "s", "targetId": "t", "sourceHandle": "a"},
{"sourceId": "s", "targetId": "e", "sourceHandle": "b"}, {"sourceId": "t", "targetId": "out"},
{"sourceId": "e", "targetId": "out"}],
"tests": [{"name": "n", "input": {"score": 0.9, "industry": "i", "word": "w"}, "expect": {"decision": "review"}}]}"#;

#[test]
fn ten_thousand_changed_rulesets_are_read_and_run_without_a_panic() {
    assert_eq!(Ruleset::parse(SMALL).map(|ruleset| ruleset.run_tests()), Ok(vec![]));
    let shipped: Value = serde_json::from_str(Ruleset::default_document()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let request = json!({"score": 0.7, "industry": "i", "word": "x"});
    let (mut accepted, mut refused) = (0, 0);
    for number in 0..10_000 {
        let original = if number % 20 == 0 { Ruleset::default_document() } else { SMALL };
        let request = if number % 20 == 0 { &shipped["tests"][6]["input"] } else { &request };
        match Ruleset::parse(&changed(original, &mut random)) {
            Ok(ruleset) => {
                accepted += 1;
                let _ = (ruleset.evaluate(request, true), ruleset.run_tests());
            }
            Err(faults) => {
                refused += 1;
                assert!(!faults.is_empty());
            }
        }
    }
    assert!(accepted > 100 && refused > 5_000, "{accepted} accepted, {refused} refused");
}

/// The text with one to three places replaced by signs that mean something in JSON or in expressions.
fn changed(text: &str, random: &mut fastrand::Rng) -> String {
    let pieces = [
        "\"", "{", "}", "[", "]", ",", "0", "-1", "1e308", "null", "true", "$", "..", "(", ")", " in ", "é",
        "\\u0000", "word", "score", "'", "<", "*",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(0..bytes.len());
        let end = (at + random.usize(0..6)).min(bytes.len());
        bytes.splice(at..end, pieces[random.usize(0..pieces.len())].bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_of_expressions_panic(text in "[ -~éß]{0,80}") {
        let document = chain(fields(), &[expressions("e", &[("x", &text), ("decision", "'approve'")])]);
        if let Ok(ruleset) = Ruleset::parse(&document.to_string()) {
            let _ = ruleset.evaluate(&json!({"score": 0.1, "industry": "x", "list": [1, "a"], "word": "w"}), true);
        }
    }

    #[test]
    fn words_of_the_language_in_any_order_never_panic(words in proptest::collection::vec(words(), 1..25)) {
        let text = words.join(" ");
        let table = json!({"id": "t", "type": "decisionTableNode", "content": {
            "hitPolicy": "collect", "inputs": [{"id": "c", "field": "word"}],
            "outputs": [{"id": "x", "field": "x"}], "rules": [{"_id": "r", "c": text, "x": text}],
        }});
        let document = chain(fields(), &[expressions("e", &[("x", &text), ("decision", "'approve'")]), table]);
        if let Ok(ruleset) = Ruleset::parse(&document.to_string()) {
            let _ = ruleset.evaluate(&json!({"score": 0.1, "industry": "x", "list": [1, "a"], "word": "w"}), true);
        }
    }
}

fn words() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "1", "0", "-", "+", "*", "/", "%", "(", ")", "[", "]", "..", ",", "and", "or", "not", "in", "word",
        "list", "score", "level", "'a'", "<", ">=", "==", "??", "?", ":", ".", "$", "len(", "min(", "null",
        "true", "round(",
    ])
}
