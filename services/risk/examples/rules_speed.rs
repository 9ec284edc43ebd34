//! Evaluations per second of the shipped ruleset on one core, over the requests of its own tests, and of a table with
//! 5,000 rows. Other programs on the machine do not count: the time is the one that this thread was on a processor, as
//! Linux says it.
//!
//! `cargo run --release -p pando-risk --example rules_speed`
#![expect(clippy::print_stdout, reason = "an example prints its figures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use pando_risk::rules::Ruleset;
use serde_json::{Value, json};

fn main() {
    let document: Value = serde_json::from_str(Ruleset::default_document()).unwrap_or_default();
    let requests: Vec<Value> = document["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|test| test["expect"]["error"].is_null())
        .map(|test| test["input"].clone())
        .collect();
    measure("the shipped ruleset, all its tests", Ruleset::default_document(), &requests, false);
    measure("the shipped ruleset, an approval", Ruleset::default_document(), &requests[..1], false);
    measure("the shipped ruleset, with traces", Ruleset::default_document(), &requests, true);
    let requests: Vec<Value> = (0..100)
        .map(|number| json!({"score": 0.5, "industry": "x", "code": format!("code{}", number * 49), "amount": 7}))
        .collect();
    measure(
        "a table of 5,000 rows by equality",
        &table(|number| format!("'code{number}'")),
        &requests,
        false,
    );
    measure(
        "a table of 5,000 rows by ranges",
        &table(|number| format!("$ == 'code{number}'")),
        &requests,
        false,
    );
}

/// A table with one row for each cell, and a last one for the rest.
fn table(cell: impl Fn(usize) -> String) -> String {
    let rows: Vec<Value> = (0..5_000)
        .map(|number| json!({"_id": number.to_string(), "code": cell(number), "amount": "[0..10)", "d": "'review'"}))
        .collect();
    json!({
        "name": "large",
        "levels": {"medium": 0.3, "high": 0.6, "critical": 0.8},
        "policies": {"general": {"weights": {"financial": 1}}},
        "nodes": [
            {"id": "in", "type": "inputNode", "content": {"fields": [
                {"path": "code", "type": "string"}, {"path": "amount", "type": "number"},
            ]}},
            {"id": "t", "type": "decisionTableNode", "content": {
                "hitPolicy": "first",
                "inputs": [{"id": "code", "field": "code"}, {"id": "amount", "field": "amount"}],
                "outputs": [{"id": "d", "field": "decision"}],
                "rules": rows,
            }},
            {"id": "out", "type": "outputNode"},
        ],
        "edges": [{"sourceId": "in", "targetId": "t"}, {"sourceId": "t", "targetId": "out"}],
    })
    .to_string()
}

fn measure(name: &str, document: &str, requests: &[Value], trace: bool) {
    let started = Instant::now();
    let ruleset = match Ruleset::parse(document) {
        Ok(ruleset) => ruleset,
        Err(faults) => {
            println!("{name}: {faults:?}");
            return;
        }
    };
    let parsed = started.elapsed();
    let (started, before) = (Instant::now(), on_processor());
    let mut count = 0_u32;
    while started.elapsed() < Duration::from_secs(2) {
        for request in requests {
            if let Err(error) = black_box(ruleset.evaluate(black_box(request), trace)) {
                println!("{name}: {error}");
                return;
            }
            count += 1;
        }
    }
    let rate = f64::from(count) / (on_processor() - before).as_secs_f64();
    println!("{name}: {rate:.0} a second, {:.2} µs each, read in {parsed:.1?}", 1e6 / rate);
}

fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}
