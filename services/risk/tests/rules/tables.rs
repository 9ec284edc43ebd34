//! Decision tables.

use serde_json::{Value, json};

use super::{chain, evaluate, expressions, faults, parsed};

fn fields() -> Value {
    json!([{"path": "country", "type": "string"}, {"path": "amount", "type": "number"}, {"path": "x", "type": "any"}])
}

/// A table over `country` and `amount` whose rows are cells and a word.
fn table(policy: &str, rows: &[(&str, &str, &str)]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .enumerate()
        .map(|(number, (country, amount, word))| {
            json!({"_id": format!("r{number}"), "c": country, "a": amount, "w": word})
        })
        .collect();
    json!({"id": "t", "type": "decisionTableNode", "content": {
        "hitPolicy": policy,
        "inputs": [{"id": "c", "field": "country"}, {"id": "a", "name": "Amount", "field": "amount"}],
        "outputs": [{"id": "w", "field": "word"}],
        "rules": rows,
    }})
}

fn decide() -> Value {
    expressions("d", &[("decision", "'approve'")])
}

fn word(table: &Value, country: Value, amount: Value) -> (Value, Vec<String>) {
    let request = json!({"score": 0.1, "industry": "x", "country": country, "amount": amount});
    let trace = evaluate(&chain(fields(), &[table.clone(), decide()]), &request).unwrap().trace.unwrap();
    (trace.nodes[1].outputs["word"].clone(), trace.nodes[1].matched.clone())
}

#[test]
fn a_cell_is_a_test_of_the_value_of_its_column() {
    for (cell, amount, matches) in [
        ("", json!(1), true),
        ("5", json!(5), true),
        ("5", json!(6), false),
        ("1, 2, 3", json!(2), true),
        ("[1, 2, 3]", json!(2), true),
        ("> 0.7", json!(0.8), true),
        ("> 0.7", json!(0.7), false),
        ("<= 1 + 1", json!(2), true),
        ("[0..5)", json!(0), true),
        ("[0..5)", json!(5), false),
        ("(0..5]", json!(0), false),
        ("(0..5]", json!(5), true),
        ("< 0, [10..20], 30", json!(15), true),
        ("< 0, [10..20], 30", json!(25), false),
        ("!= 3", json!(4), true),
        ("not in [1, 2]", json!(2), false),
        ("in (1..2)", json!(1.5), true),
        ("$ * 2 == 8", json!(4), true),
        ("$ > 1 and $ < 3", json!(2), true),
        ("null", Value::Null, true),
        ("5", Value::Null, false),
        ("> 0", Value::Null, false),
        ("[0..5)", Value::Null, false),
        ("-1", json!(-1), true),
        ("(1 + 1)", json!(2), true),
    ] {
        let (found, _) =
            word(&table("first", &[("", cell, "'hit'"), ("", "", "'miss'")]), json!("CH"), amount.clone());
        assert_eq!(found == "hit", matches, "`{cell}` for {amount}");
    }
}

#[test]
fn the_first_row_counts_or_all_of_them() {
    let rows = [("'CH', 'LI'", "", "'alpine'"), ("", "> 10", "'large'"), ("'CH'", "> 10", "")];
    assert_eq!(
        word(&table("first", &rows), json!("CH"), json!(20)),
        (json!("alpine"), vec!["r0".to_owned()])
    );
    let all = ["r0", "r1", "r2"].map(str::to_owned).to_vec();
    assert_eq!(word(&table("collect", &rows), json!("CH"), json!(20)), (json!(["alpine", "large"]), all));
    assert_eq!(word(&table("first", &rows), json!("DE"), json!(1)), (Value::Null, vec![]));
    assert_eq!(word(&table("collect", &rows), json!("DE"), json!(1)), (json!([]), vec![]));
}

#[test]
fn a_value_of_another_type_than_its_tests_is_an_error_that_names_row_and_column() {
    let request = json!({"score": 0.1, "industry": "x", "x": "seven"});
    let mut table = table("first", &[("", "> 7", "'hit'")]);
    table["content"]["inputs"][1]["field"] = json!("x");
    let error = evaluate(&chain(fields(), &[table, decide()]), &request).unwrap_err();
    assert_eq!((error.node.as_str(), error.place.as_str()), ("t", "row `r0`, column `x`"));
    assert_eq!(error.expression, "> 7");
}

#[test]
fn a_column_without_an_expression_has_conditions_as_cells() {
    let mut table = table("first", &[("", "country == 'CH' and amount > 1", "'hit'")]);
    table["content"]["inputs"][1] = json!({"id": "a"});
    assert_eq!(word(&table, json!("CH"), json!(2)).0, "hit");
    assert_eq!(word(&table, json!("CH"), json!(1)).0, Value::Null);
}

#[test]
fn an_index_finds_the_same_rows_as_reading_from_the_top() {
    let countries: Vec<String> =
        (0..60).map(|number| format!("'C{}', 'C{}'", number % 13, number % 7)).collect();
    let cell = |number: usize| if number.is_multiple_of(5) { "" } else { countries[number].as_str() };
    let words: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    let rows: Vec<(&str, &str, &str)> = (0..60)
        .map(|number| (cell(number), if number % 3 == 0 { "> 50" } else { "" }, words[number].as_str()))
        .collect();
    let (indexed, mut plain) = (table("collect", &rows), table("collect", &rows));
    // A cell that is no constant keeps the column from being indexed.
    plain["content"]["rules"][1]["c"] = json!(format!("{}, $ == 'never'", rows[1].0));
    let fields = fields();
    let (indexed, plain) =
        (parsed(&chain(fields.clone(), &[indexed, decide()])), parsed(&chain(fields, &[plain, decide()])));
    for number in 0..20 {
        for amount in [10, 60] {
            let country = if number == 19 { Value::Null } else { json!(format!("C{number}")) };
            let request = json!({"score": 0.1, "industry": "x", "country": country, "amount": amount});
            assert_eq!(indexed.evaluate(&request, true), plain.evaluate(&request, true), "{request}");
        }
    }
}

#[test]
fn every_fault_of_a_table_is_named_at_once() {
    let mut table = table("last", &[("", "", "'a'")]);
    assert_eq!(faults(&chain(fields(), &[table.clone(), decide()]))[0].pointer, "/nodes/1/content/hitPolicy");
    table["content"] = json!({
        "hitPolicy": "first",
        "inputs": [{"id": "c", "field": "country"}, {"id": "c", "field": "countri"}, {"id": "n", "field": "nothing"}],
        "outputs": [
            {"id": "w", "field": "decision"}, {"id": "x", "field": "score"}, {"id": "y", "field": "reason.code"},
            {"id": "z", "field": "level"},
        ],
        "rules": [
            {"_id": "r", "c": "> ", "n": "> 7", "w": "'maybe'"},
            {"_id": "r", "q": "1", "w": "1"},
            {"c": "1"},
            {"_id": "s", "c": 1, "y": "'two words'"},
        ],
    });
    let found = faults(&chain(fields(), &[table]));
    let pointers: Vec<&str> = found.iter().map(|fault| fault.pointer.as_str()).collect();
    for expected in [
        "/nodes/1/content/outputs/1/field",
        "/nodes/1/content/outputs/3/field",
        "/nodes/1/content/inputs/1/id",
        "/nodes/1/content/inputs/1/field",
        "/nodes/1/content/rules/0/c",
        "/nodes/1/content/rules/0/w",
        "/nodes/1/content/rules/1",
        "/nodes/1/content/rules/1/q",
        "/nodes/1/content/rules/1/w",
        "/nodes/1/content/rules/2",
        "/nodes/1/content/rules/3/c",
        "/nodes/1/content/rules/3/y",
    ] {
        assert!(pointers.contains(&expected), "{expected} is not in {found:#?}");
    }
    assert!(!pointers.contains(&"/nodes/1/content/rules/0/n"), "a test below a faulty column is no fault");
    assert!(found.iter().any(|fault| fault.message.contains("a reason needs the three outputs")));
}
