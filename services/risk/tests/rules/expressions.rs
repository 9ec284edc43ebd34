//! Expressions, each evaluated as the value of an output and read back from the trace.

use serde_json::{Value, json};

use super::{chain, evaluate, expressions, faults};

fn fields() -> Value {
    json!([
        {"path": "number", "type": "number"},
        {"path": "word", "type": "string"},
        {"path": "list", "type": "list"},
        {"path": "thing", "type": "object"},
        {"path": "anything", "type": "any"},
        {"path": "missing", "type": "number"},
        {"path": "deep.er", "type": "number"},
    ])
}

fn request() -> Value {
    json!({
        "score": 0.5, "industry": "retail", "number": 7, "word": "Müller", "list": ["a", "b", 3],
        "thing": {"inside": {"value": 4}}, "anything": {"x": true}, "deep": {"er": 2},
    })
}

fn value_of(expression: &str) -> Result<Value, String> {
    let document = chain(fields(), &[expressions("e", &[("x", expression), ("decision", "'approve'")])]);
    let verdict = evaluate(&document, &request()).map_err(|error| error.message)?;
    let trace = verdict.trace.unwrap();
    Ok(trace.nodes.iter().find(|node| node.id == "e").unwrap().outputs["x"].clone())
}

#[test]
fn expressions_have_the_values_of_their_grammar() {
    for (expression, expected) in [
        ("1 + 2 * 3", json!(7.0)),
        ("(1 + 2) * 3", json!(9.0)),
        ("10 - 4 - 3", json!(3.0)),
        ("-2 * -3", json!(6.0)),
        ("7 % 4", json!(3.0)),
        ("1.5e3", json!(1500.0)),
        ("1 < 2 and not (2 < 1)", json!(true)),
        ("true or missing > 1", json!(true)),
        ("false and missing > 1", json!(false)),
        ("not number == 7", json!(false)),
        ("!false && true || false", json!(true)),
        ("'a' + \"b\"", json!("ab")),
        (r#""a \"quoted\" word""#, json!("a \"quoted\" word")),
        ("word == 'Müller'", json!(true)),
        ("'abc' < 'abd'", json!(true)),
        ("number in [1, 7, 9]", json!(true)),
        ("number not in [1, 7, 9]", json!(false)),
        ("number in [7..9]", json!(true)),
        ("number in (7..9]", json!(false)),
        ("number in [0..7)", json!(false)),
        ("'b' in list", json!(true)),
        ("1 == '1'", json!(false)),
        ("null == missing", json!(true)),
        ("missing ?? 3", json!(3.0)),
        ("missing == null ? 'none' : 'some'", json!("none")),
        ("false ? 1 : true ? 2 : 3", json!(2.0)),
        ("thing.inside.value * 2", json!(8.0)),
        ("thing.nothing.value", json!(null)),
        ("anything.x", json!(true)),
        ("deep.er", json!(2.0)),
        ("list[2]", json!(3.0)),
        ("[1, number][1]", json!(7.0)),
        ("len(word)", json!(6.0)),
        ("len(list)", json!(3.0)),
        ("upper(word)", json!("MÜLLER")),
        ("lower(' X ') + '|' + trim(' X ')", json!(" x |X")),
        ("contains(word, 'ül') and contains(list, 'a')", json!(true)),
        ("startsWith(word, 'M') and endsWith(word, 'r')", json!(true)),
        ("min(3, number, 5) + max([1, 9]) + sum([])", json!(12.0)),
        ("abs(-3) + floor(1.9) + ceil(1.1)", json!(6.0)),
        ("round(2.345, 2)", json!(2.35)),
        ("text(0.25) + text(true)", json!("0.25true")),
        ("level + policy", json!("mediumgeneral")),
        ("number in [1, 2] == false", json!(true)),
    ] {
        assert_eq!(value_of(expression), Ok(expected), "{expression}");
    }
}

#[test]
fn an_expression_that_makes_no_sense_for_the_request_is_an_error() {
    for (expression, message) in [
        ("1 / 0", "division by zero"),
        ("1 % (number - 7)", "division by zero"),
        ("1e308 * 10", "the result is too large"),
        ("missing > 1", "`>` takes two numbers or two texts, not null and a number"),
        ("number + word", "`+` takes two numbers or two texts, not a number and a text"),
        ("list == list", "`==` takes scalars, not a list and a list"),
        ("number and true", "`and` takes a boolean, not a number"),
        ("1 ? 2 : 3", "`?` takes a boolean, not a number"),
        ("list[3]", "a list of 3 items has no item 3"),
        ("list[0.5]", "a list of 3 items has no item 0.5"),
        ("number in word", "`in` takes a list or a range, not a text"),
        ("list in [1]", "a list cannot be searched for a list"),
        ("word in [1..2]", "`>=` takes two numbers or two texts, not a text and a number"),
        ("lower(1)", "`lower` takes a text, not a number"),
        ("min([])", "`min` of an empty list"),
        ("sum(list)", "`sum` takes numbers, not a text"),
        ("round(1, 99)", "`round` keeps 0 to 15 digits"),
        ("[list]", "a list holds scalars, not a list"),
        ("-word", "`-` takes a number, not a text"),
        ("thing.inside.value.more", "a number has no member `more`"),
    ] {
        assert_eq!(value_of(expression), Err(message.to_owned()), "{expression}");
    }
}

#[test]
fn an_error_names_its_node_its_place_and_its_expression() {
    let node = expressions("ratio", &[("x", "1 / (number - 7)"), ("decision", "'approve'")]);
    let error = evaluate(&chain(fields(), &[node]), &request()).unwrap_err();
    assert_eq!(error.to_string(), "node `ratio`, key `x`: division by zero");
    assert_eq!(error.expression, "1 / (number - 7)");
}

#[test]
fn an_expression_that_does_not_parse_is_a_fault_with_its_place() {
    for (expression, message) in [
        ("1 +", "a value is missing at the end"),
        ("1 2", "an operator or the end is expected at character 3"),
        ("(1", "`)` is missing at the end"),
        ("a = 1", "`=` at character 3 has no meaning; equality is `==`"),
        ("'open", "the text that begins at character 1 does not end"),
        ("'\\x'", "the escape at character 2 is none of \\\\ \\\" \\' \\n \\t"),
        ("1e999", "the number at character 1 is too large"),
        ("ü == 1", "`ü` at character 1 has no meaning"),
        ("velocty > 1", "`velocty` is neither a declared field nor an output of a node before this one"),
        ("deep > 1", "`deep` is neither a declared field nor an output of a node before this one"),
        ("number.more", "`number` is declared with a type that has no members"),
        ("len()", "`len` takes 1 arguments, not 0"),
        ("$ > 1", "`$` is the value of a column, and only its cells have it"),
        ("[1, [2]]", "a list holds no lists"),
        ("number not 3", "`in` is expected at character 12"),
        ("number in", "a value is missing at the end"),
        ("and", "a value is expected at character 1"),
    ] {
        let found =
            faults(&chain(fields(), &[expressions("e", &[("x", expression), ("decision", "'approve'")])]));
        let expected = ("/nodes/1/content/expressions/0/value", message);
        assert_eq!((found[0].pointer.as_str(), found[0].message.as_str()), expected, "{expression}");
        assert_eq!(found.len(), 1, "{expression}");
    }
    let node = expressions("e", &[("x", "exec('ls')"), ("decision", "'approve'")]);
    assert!(
        faults(&chain(fields(), &[node]))[0]
            .message
            .starts_with("there is no function `exec`; the functions are len,")
    );
}
