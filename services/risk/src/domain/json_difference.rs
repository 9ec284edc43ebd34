//! The differences between two JSON values, each with its place.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// One place in which two JSON values differ.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct JsonDifference {
    /// The place, as a JSON pointer; empty for the whole value.
    pub pointer: String,
    /// The value of the first one; null if it has none.
    pub before: Value,
    /// The value of the second one; null if it has none.
    pub after: Value,
}

/// The differences between two values, at most `max` of them, and whether there are more.
pub(crate) fn differences(before: &Value, after: &Value, max: usize) -> (Vec<JsonDifference>, bool) {
    let mut found = Vec::new();
    walk("", Some(before), Some(after), max + 1, &mut found);
    let more = found.len() > max;
    found.truncate(max);
    (found, more)
}

fn walk(
    pointer: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    max: usize,
    found: &mut Vec<JsonDifference>,
) {
    if before == after || found.len() >= max {
        return;
    }
    match (before, after) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let only_after = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(only_after) {
                let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                walk(&below, one.get(name), other.get(name), max, found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for index in 0..one.len().max(other.len()) {
                walk(&format!("{pointer}/{index}"), one.get(index), other.get(index), max, found);
            }
        }
        _ => found.push(JsonDifference {
            pointer: pointer.to_owned(),
            before: before.cloned().unwrap_or_default(),
            after: after.cloned().unwrap_or_default(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_difference_has_its_place_and_many_are_cut() {
        let (one, other) = (json!({"a": [1, {"b": 2}], "c": 3}), json!({"a": [1, {"b": 4}, 5], "d/e": 6}));
        let (found, more) = differences(&one, &other, 10);
        let places: Vec<&str> = found.iter().map(|one| one.pointer.as_str()).collect();
        assert_eq!((places, more), (vec!["/a/1/b", "/a/2", "/c", "/d~1e"], false));
        assert_eq!((found[0].before.clone(), found[0].after.clone()), (json!(2), json!(4)));
        assert_eq!(differences(&one, &other, 2).0.len(), 2);
        assert!(differences(&one, &other, 2).1);
        assert!(differences(&one, &one, 2).0.is_empty());
    }
}
