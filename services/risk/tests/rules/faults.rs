//! Faults of documents: all at once, each with its place.

use pando_risk::rules::Ruleset;
use serde_json::{Value, json};

use super::{chain, document, expressions, faults};

fn approve(id: &str) -> Value {
    expressions(id, &[("decision", "'approve'")])
}

fn pointers(document: &Value) -> Vec<(String, String)> {
    faults(document).into_iter().map(|fault| (fault.pointer, fault.message)).collect()
}

fn edge(from: &str, to: &str) -> Value {
    json!({"sourceId": from, "targetId": to})
}

#[test]
fn all_faults_of_a_graph_are_named_at_once() {
    let nodes = vec![
        json!({"id": "in", "type": "inputNode", "content": {"fields": [
            {"path": "a", "type": "decimal"}, {"path": "a..b", "type": "number"}, {"path": "score", "type": "number"},
        ]}}),
        approve("one"),
        approve("two"),
        approve("alone"),
        approve("one"),
        json!({"id": "odd", "type": "functionNode", "content": {}}),
        json!({"id": "extra", "type": "outputNode", "color": "red"}),
        json!({"id": "out", "type": "outputNode"}),
    ];
    let edges = vec![
        edge("in", "one"),
        edge("one", "two"),
        edge("two", "one"),
        edge("two", "out"),
        edge("two", "nowhere"),
        edge("out", "two"),
        json!({"sourceId": "in", "targetId": "two", "sourceHandle": "x", "id": "e"}),
        edge("in", "one"),
    ];
    let mut document = document(nodes, edges);
    document["levels"]["high"] = json!(0.9);
    document["policies"] = json!({"Fin Tech": {"weights": {"financial": 0.5}}});
    document["extra"] = json!(true);
    let found = pointers(&document);
    for (pointer, message) in [
        ("/extra", "`extra` is unknown here; known are name, description"),
        ("/levels", "0 < medium < high < critical <= 1 does not hold"),
        ("/policies", "the policy `general` is missing"),
        ("/policies/Fin Tech", "a policy has a name of small letters"),
        ("/policies/Fin Tech/weights", "the weights add up to 0.5, not to 1"),
        ("/nodes/0/content/fields/0/type", "`decimal` is no type"),
        ("/nodes/0/content/fields/1/path", "`a..b` is not a path"),
        ("/nodes/0/content/fields/2/path", "`score` is declared already"),
        ("/nodes/4/id", "the node id `one` is taken"),
        ("/nodes/5/type", "`functionNode` is no kind of node"),
        ("/nodes/6/color", "`color` is unknown here"),
        ("/nodes", "a ruleset has one outputNode, not 2"),
        ("/nodes/1", "node `one` is on a cycle"),
        ("/nodes/2", "node `two` is on a cycle"),
        ("/nodes/3", "node `alone` cannot be reached from the input"),
        ("/nodes/3", "node `alone` does not lead to the output"),
        ("/edges/4/targetId", "there is no node `nowhere`"),
        ("/edges/5/sourceId", "no edge has this end at an outputNode"),
        ("/edges/6/sourceHandle", "only edges that leave a switch"),
        ("/edges/7", "the same edge is there already"),
    ] {
        let named = found.iter().any(|fault| fault.0 == pointer && fault.1.starts_with(message));
        assert!(named, "{pointer} {message} is not in {found:#?}");
    }
}

#[test]
fn a_switch_has_an_edge_for_each_statement_and_a_statement_for_each_edge() {
    let switch = json!({"id": "s", "type": "switchNode", "content": {"hitPolicy": "first", "statements": [
        {"id": "yes", "condition": "score > 0.5"}, {"id": "no"},
    ]}});
    let found = pointers(&chain(json!([]), &[switch, approve("e")]));
    let expected = [
        ("/edges/1/sourceHandle", "an edge that leaves a switch names one of its statements"),
        ("/nodes/1/content/statements/0", "no edge leaves statement `yes`"),
        ("/nodes/1/content/statements/1", "no edge leaves statement `no`"),
    ];
    assert_eq!(found, expected.map(|(pointer, message)| (pointer.to_owned(), message.to_owned())));
}

#[test]
fn a_graph_in_which_nothing_decides_is_a_fault() {
    let found = pointers(&chain(json!([]), &[expressions("e", &[("x", "1")])]));
    assert_eq!(found, [("/nodes".to_owned(), "no node has an output `decision`".to_owned())]);
}

#[test]
fn limits_are_faults() {
    let many: Vec<Value> = (0..199).map(|number| approve(&format!("n{number}"))).collect();
    assert!(
        pointers(&chain(json!([]), &many))
            .iter()
            .any(|fault| fault.1 == "the list has 201 items, at most 200")
    );
    let long = format!("'{}'", "x".repeat(2_000));
    let found = pointers(&chain(json!([]), &[expressions("e", &[("decision", "'approve'"), ("x", &long)])]));
    assert_eq!(found[0].1, "a text of at most 2000 characters is expected");
    let rows: Vec<Value> =
        (0..2_501).map(|number| json!({"_id": number.to_string(), "d": "'approve'"})).collect();
    let table = |id: &str| {
        json!({"id": id, "type": "decisionTableNode", "content": {
            "hitPolicy": "first", "inputs": [], "outputs": [{"id": "d", "field": "decision"}], "rules": rows,
        }})
    };
    let found = pointers(&chain(json!([]), &[table("a"), table("b")]));
    assert_eq!(found[0].1, "all tables together have at most 5000 rows");
    let deep = format!("{}1{}", "(".repeat(70), ")".repeat(70));
    let found = pointers(&chain(json!([]), &[expressions("e", &[("decision", "'approve'"), ("x", &deep)])]));
    assert_eq!(found[0].1, "an expression is nested at most 64 deep");
    let first = |text: &str| Ruleset::parse(text).unwrap_err()[0].message.clone();
    assert!(first(&" ".repeat(3 * 1024 * 1024)).contains("at most 2097152 bytes"));
    assert!(first("{").contains("the text is not JSON"));
}

#[test]
fn a_ruleset_is_not_an_object_or_lacks_everything() {
    assert_eq!(pointers(&json!([])), [(String::new(), "an object is expected".to_owned())]);
    let missing: Vec<String> = pointers(&json!({})).into_iter().map(|fault| fault.1).collect();
    for name in ["name", "levels", "policies", "nodes", "edges"] {
        assert!(missing.contains(&format!("`{name}` is missing")), "{name} in {missing:?}");
    }
}
