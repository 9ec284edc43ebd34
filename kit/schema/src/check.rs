//! Checks a document against a compiled schema.

use std::cell::Cell;

use serde_json::{Map, Number, Value};

use crate::{DEPTH_MAX, FAULTS_MAX, Fault, Schema, members, type_names};

/// How often a value may be laid beside a schema for one document: a schema that refers to itself in two branches
/// would take for ever.
const STEPS_MAX: usize = 1_000_000;

/// Everything that is wrong with the document.
pub(crate) fn faults(schema: &Schema, document: &Value) -> Vec<Fault> {
    let steps = Cell::new(0);
    let mut check = Check { schema, steps: &steps, faults: Vec::new() };
    check.value(&schema.root, document, "", 0);
    let mut faults = check.faults;
    if steps.get() > STEPS_MAX {
        let message = "takes too many steps to check against this schema".to_owned();
        faults = vec![Fault { path: String::new(), message }];
    }
    faults
}

struct Check<'s> {
    schema: &'s Schema,
    steps: &'s Cell<usize>,
    faults: Vec<Fault>,
}

impl<'s> Check<'s> {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { path: path.to_owned(), message: message.into() });
        }
    }

    fn value(&mut self, schema: &'s Value, value: &Value, path: &str, depth: usize) {
        self.steps.set(self.steps.get() + 1);
        if self.faults.len() >= FAULTS_MAX || self.steps.get() > STEPS_MAX {
            return;
        }
        if depth > DEPTH_MAX {
            return self.add(path, format!("is nested more than {DEPTH_MAX} levels deep"));
        }
        let keywords = match schema {
            Value::Object(keywords) => keywords,
            Value::Bool(false) => return self.add(path, "must not be there"),
            _ => return,
        };
        self.combined(keywords, value, path, depth + 1);
        if let Some(kind) = keywords.get("type")
            && !type_names(kind).iter().any(|name| is_of_type(value, name))
        {
            return self.add(path, format!("must be of type {}", type_names(kind).join(" or ")));
        }
        if let Some(values) = keywords.get("enum").and_then(Value::as_array)
            && !values.iter().any(|allowed| equal(allowed, value))
        {
            self.add(path, "must be one of the values that the schema lists");
        }
        if let Some(only) = keywords.get("const")
            && !equal(only, value)
        {
            self.add(path, "must be the value that the schema gives");
        }
        match value {
            Value::Number(number) => self.number(keywords, number, path),
            Value::String(text) => self.text(keywords, text, path),
            Value::Array(items) => self.array(keywords, items, path, depth + 1),
            Value::Object(fields) => self.object(keywords, fields, path, depth + 1),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn combined(&mut self, keywords: &'s Map<String, Value>, value: &Value, path: &str, depth: usize) {
        let reference = keywords.get("$ref").and_then(Value::as_str);
        if let Some(target) = reference.and_then(|reference| self.schema.referred(reference)) {
            self.value(target, value, path, depth);
        }
        for schema in schemas(keywords, "allOf") {
            self.value(schema, value, path, depth);
        }
        let fits = |schema| self.fits(schema, value, depth);
        let any = keywords.get("anyOf").is_none_or(|_| schemas(keywords, "anyOf").any(fits));
        let one = keywords
            .get("oneOf")
            .is_none_or(|_| schemas(keywords, "oneOf").filter(|it| fits(it)).count() == 1);
        let not = keywords.get("not").is_some_and(fits);
        let branch = keywords.get("if").map(|condition| if fits(condition) { "then" } else { "else" });
        if !any {
            self.add(path, "must follow one of the schemas in anyOf");
        }
        if !one {
            self.add(path, "must follow exactly one of the schemas in oneOf");
        }
        if not {
            self.add(path, "must not follow the schema in not");
        }
        if let Some(schema) = branch.and_then(|branch| keywords.get(branch)) {
            self.value(schema, value, path, depth);
        }
    }

    /// Whether a value follows a schema, without saying what is wrong.
    fn fits(&self, schema: &'s Value, value: &Value, depth: usize) -> bool {
        let mut check = Check { schema: self.schema, steps: self.steps, faults: Vec::new() };
        check.value(schema, value, "", depth);
        check.faults.is_empty()
    }

    fn number(&mut self, keywords: &Map<String, Value>, number: &Number, path: &str) {
        let Some(value) = number.as_f64() else { return };
        let bound = |keyword: &str| keywords.get(keyword).and_then(Value::as_f64);
        let named = |keyword: &str| keywords.get(keyword).map(ToString::to_string).unwrap_or_default();
        if bound("minimum").is_some_and(|least| value < least) {
            self.add(path, format!("must be at least {}", named("minimum")));
        }
        if bound("maximum").is_some_and(|most| value > most) {
            self.add(path, format!("must be at most {}", named("maximum")));
        }
        if bound("exclusiveMinimum").is_some_and(|least| value <= least) {
            self.add(path, format!("must be more than {}", named("exclusiveMinimum")));
        }
        if bound("exclusiveMaximum").is_some_and(|most| value >= most) {
            self.add(path, format!("must be less than {}", named("exclusiveMaximum")));
        }
        if bound("multipleOf").is_some_and(|by| !is_multiple(value, by)) {
            self.add(path, format!("must be a multiple of {}", named("multipleOf")));
        }
    }

    fn text(&mut self, keywords: &Map<String, Value>, text: &str, path: &str) {
        self.count(keywords, ("minLength", "maxLength"), text.chars().count(), ("have", "characters"), path);
        if let Some(pattern) = keywords.get("pattern").and_then(Value::as_str)
            && !self.schema.matches(pattern, text)
        {
            self.add(path, format!("must match {pattern}"));
        }
    }

    fn array(&mut self, keywords: &'s Map<String, Value>, items: &[Value], path: &str, depth: usize) {
        self.count(keywords, ("minItems", "maxItems"), items.len(), ("have", "items"), path);
        let mut first = 0;
        for (schema, item) in schemas(keywords, "prefixItems").zip(items) {
            self.value(schema, item, &format!("{path}/{first}"), depth);
            first += 1;
        }
        if let Some(schema) = keywords.get("items") {
            for (index, item) in items.iter().enumerate().skip(first) {
                self.value(schema, item, &format!("{path}/{index}"), depth);
            }
        }
        if let Some(schema) = keywords.get("contains")
            && !items.iter().any(|item| self.fits(schema, item, depth))
        {
            self.add(path, "must have an item that follows the schema in contains");
        }
        if keywords.get("uniqueItems") == Some(&Value::Bool(true)) && has_repeats(items) {
            self.add(path, "must not have the same item twice");
        }
    }

    fn object(
        &mut self,
        keywords: &'s Map<String, Value>,
        fields: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) {
        self.count(keywords, ("minProperties", "maxProperties"), fields.len(), ("have", "fields"), path);
        let names = |list: &'s Value| list.as_array().into_iter().flatten().filter_map(Value::as_str);
        for name in keywords.get("required").into_iter().flat_map(names) {
            if !fields.contains_key(name) {
                self.add(path, format!("must have the field {name}"));
            }
        }
        for (given, list) in members(keywords, "dependentRequired") {
            for name in names(list).filter(|name| fields.contains_key(given) && !fields.contains_key(*name)) {
                self.add(path, format!("must have the field {name} because it has {given}"));
            }
        }
        for (name, value) in fields {
            self.field(keywords, (name, value), path, depth);
        }
    }

    fn field(
        &mut self,
        keywords: &'s Map<String, Value>,
        (name, value): (&String, &Value),
        path: &str,
        depth: usize,
    ) {
        let place = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        let mut known = false;
        if let Some(schema) = keywords.get("properties").and_then(|properties| properties.get(name)) {
            known = true;
            self.value(schema, value, &place, depth);
        }
        for (pattern, schema) in members(keywords, "patternProperties") {
            if self.schema.matches(pattern, name) {
                known = true;
                self.value(schema, value, &place, depth);
            }
        }
        match keywords.get("additionalProperties") {
            Some(Value::Bool(false)) if !known => {
                self.add(path, format!("{name} is not a field that the schema knows"));
            }
            Some(schema) if !known => self.value(schema, value, &place, depth),
            _ => {}
        }
        if let Some(schema) = keywords.get("propertyNames")
            && !self.fits(schema, &Value::String(name.clone()), depth)
        {
            self.add(path, format!("{name} is not a name that the schema allows"));
        }
    }

    fn count(
        &mut self,
        keywords: &Map<String, Value>,
        (least, most): (&str, &str),
        count: usize,
        (verb, noun): (&str, &str),
        path: &str,
    ) {
        let bound = |keyword: &str| keywords.get(keyword).and_then(Value::as_u64);
        let count = count as u64;
        if let Some(least) = bound(least).filter(|least| count < *least) {
            self.add(path, format!("must {verb} at least {least} {noun}, not {count}"));
        }
        if let Some(most) = bound(most).filter(|most| count > *most) {
            self.add(path, format!("must {verb} at most {most} {noun}, not {count}"));
        }
    }
}

fn schemas<'s>(keywords: &'s Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'s Value> {
    keywords.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        // 3.0 is an integer too: JSON does not tell them apart.
        Value::Number(number) => name == "number" || (name == "integer" && is_whole(number)),
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|value| value.fract() == 0.0)
}

/// A tenth is not a binary fraction, so 0.3 must count as a multiple of 0.1.
fn is_multiple(value: f64, by: f64) -> bool {
    let times = value / by;
    (times - times.round()).abs() <= times.abs() * 1e-12
}

/// Whether two values are the same to JSON: 1 and 1.0 are, and the order of fields does not matter.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| equal(one, other)))
        }
        _ => one == other,
    }
}

fn has_repeats(items: &[Value]) -> bool {
    let mut sorted: Vec<String> = items.iter().map(canonical).collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

/// A text that equal values share.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) if is_whole(number) && number.as_i64().is_none() => {
            number.as_f64().map_or_else(|| number.to_string(), |value| format!("{value:.0}"))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let mut fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::String(name.clone()), canonical(value)))
                .collect();
            fields.sort_unstable();
            format!("{{{}}}", fields.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(schema: Value, document: Value) -> Vec<String> {
        let schema = Schema::compile(&schema).expect("a schema");
        schema.faults(&document).iter().map(ToString::to_string).collect()
    }

    /// A schema, documents that follow it, documents that do not, and the faults that are reported.
    type Case = (Value, Value, Value, &'static str);

    fn each(cases: impl IntoIterator<Item = Case>) {
        for (schema, good, bad, expected) in cases {
            assert_eq!(told(schema.clone(), good.clone()), Vec::<String>::new(), "{schema} on {good}");
            assert_eq!(told(schema.clone(), bad.clone()), [expected], "{schema} on {bad}");
        }
    }

    #[test]
    fn what_any_value_must_be() {
        each([
            (json!({"type": "string"}), json!("a"), json!(1), "must be of type string"),
            (
                json!({"type": ["integer", "null"]}),
                json!(null),
                json!(1.5),
                "must be of type integer or null",
            ),
            (json!({"type": "integer"}), json!(3.0), json!(true), "must be of type integer"),
            (
                json!({"enum": [1, "a"]}),
                json!(1.0),
                json!("b"),
                "must be one of the values that the schema lists",
            ),
            (
                json!({"const": {"a": 1}}),
                json!({"a": 1}),
                json!({}),
                "must be the value that the schema gives",
            ),
        ]);
    }

    #[test]
    fn the_bounds_of_numbers_and_texts() {
        each([
            (json!({"minimum": 2}), json!(2), json!(1), "must be at least 2"),
            (json!({"maximum": 2}), json!(2), json!(3), "must be at most 2"),
            (json!({"exclusiveMinimum": 2}), json!(2.5), json!(2), "must be more than 2"),
            (json!({"exclusiveMaximum": 2}), json!(1), json!(2), "must be less than 2"),
            (json!({"multipleOf": 0.1}), json!(0.3), json!(0.35), "must be a multiple of 0.1"),
            (json!({"minLength": 2}), json!("åö"), json!("å"), "must have at least 2 characters, not 1"),
            (json!({"maxLength": 2}), json!("åö"), json!("abc"), "must have at most 2 characters, not 3"),
            (json!({"pattern": "^a+$"}), json!("aa"), json!("ab"), "must match ^a+$"),
        ]);
    }

    #[test]
    fn what_arrays_must_hold() {
        each([
            (json!({"minItems": 1}), json!([1]), json!([]), "must have at least 1 items, not 0"),
            (json!({"maxItems": 1}), json!([1]), json!([1, 2]), "must have at most 1 items, not 2"),
            (
                json!({"uniqueItems": true}),
                json!([1, 2]),
                json!([{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
                "must not have the same item twice",
            ),
            (json!({"items": {"type": "null"}}), json!([null]), json!([null, 1]), "/1: must be of type null"),
            (
                json!({"prefixItems": [true, {"type": "null"}], "items": false}),
                json!([1, null]),
                json!([1, null, 2]),
                "/2: must not be there",
            ),
            (
                json!({"contains": {"const": 1}}),
                json!([0, 1]),
                json!([0]),
                "must have an item that follows the schema in contains",
            ),
        ]);
    }

    #[test]
    fn what_objects_must_hold() {
        each([
            (json!({"required": ["a"]}), json!({"a": 1}), json!({"b": 1}), "must have the field a"),
            (
                json!({"dependentRequired": {"a": ["b"]}}),
                json!({"b": 1}),
                json!({"a": 1}),
                "must have the field b because it has a",
            ),
            (json!({"minProperties": 1}), json!({"a": 1}), json!({}), "must have at least 1 fields, not 0"),
            (json!({"maxProperties": 0}), json!({}), json!({"a": 1}), "must have at most 0 fields, not 1"),
            (
                json!({"properties": {"a/b": {"type": "null"}}}),
                json!({"a/b": null}),
                json!({"a/b": 1}),
                "/a~1b: must be of type null",
            ),
            (
                json!({"patternProperties": {"^x": {"type": "null"}}}),
                json!({"y": 1}),
                json!({"xy": 1}),
                "/xy: must be of type null",
            ),
            (
                json!({"properties": {"a": true}, "additionalProperties": false}),
                json!({"a": 1}),
                json!({"b": 1}),
                "b is not a field that the schema knows",
            ),
            (
                json!({"additionalProperties": {"type": "null"}}),
                json!({"a": null}),
                json!({"a": 1}),
                "/a: must be of type null",
            ),
            (
                json!({"propertyNames": {"maxLength": 1}}),
                json!({"a": 1}),
                json!({"ab": 1}),
                "ab is not a name that the schema allows",
            ),
        ]);
    }

    #[test]
    fn schemas_that_are_put_together() {
        each([
            (json!({"allOf": [{"minimum": 1}, {"maximum": 2}]}), json!(1), json!(3), "must be at most 2"),
            (
                json!({"anyOf": [{"type": "null"}, {"minimum": 2}]}),
                json!(2),
                json!(1),
                "must follow one of the schemas in anyOf",
            ),
            (
                json!({"oneOf": [{"minimum": 1}, {"minimum": 2}]}),
                json!(1),
                json!(2),
                "must follow exactly one of the schemas in oneOf",
            ),
            (json!({"not": {"type": "null"}}), json!(1), json!(null), "must not follow the schema in not"),
            (
                json!({"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"minimum": 1}}),
                json!("a"),
                json!(0),
                "must be at least 1",
            ),
            (
                json!({"$defs": {"n": {"type": "null"}}, "items": {"$ref": "#/$defs/n"}}),
                json!([null]),
                json!([1]),
                "/0: must be of type null",
            ),
        ]);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends_and_faults_are_bounded() {
        let tree = json!({"type": "object", "properties": {"child": {"$ref": "#"}}});
        assert!(told(tree.clone(), json!({"child": {"child": {}}})).is_empty());
        assert_eq!(told(tree, json!({"child": {"child": 1}})), ["/child/child: must be of type object"]);
        let twofold = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]});
        assert_eq!(told(twofold, json!(1)), ["takes too many steps to check against this schema"]);
        let endless = told(json!({"$ref": "#"}), json!(1));
        assert_eq!(endless, ["is nested more than 64 levels deep"]);
        let many = Value::Array(vec![json!(1); 1_000]);
        assert_eq!(told(json!({"items": {"type": "null"}}), many).len(), FAULTS_MAX);
    }
}
