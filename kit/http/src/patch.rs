//! Partial updates: JSON merge-patch (RFC 7386) and JSON Patch (RFC 6902).

use json_patch::{Patch, PatchErrorKind, PatchOperation};
use serde_json::Value;

use crate::json::kind_of;
use crate::{Code, JSON_DEPTH_MAX, Problem, parse_json};

/// How many operations one JSON Patch may hold.
pub const PATCH_OPERATIONS_MAX: usize = 100;

/// How many bytes the patched document may have: `copy` doubles cheaply.
const PATCHED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Applies a patch to `current` by the body's media type; no media type means merge-patch.
///
/// 415 for other types, 400 when the patch cannot be read, 409 when a `test` fails, 422 when it does not fit.
pub fn apply_patch(content_type: Option<&str>, body: &[u8], current: Value) -> Result<Value, Problem> {
    let media = content_type.unwrap_or("application/json").split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/json-patch+json") {
        return apply_operations(&parse_json(body)?, current);
    }
    if media.eq_ignore_ascii_case("application/merge-patch+json")
        || media.eq_ignore_ascii_case("application/json")
    {
        return apply_merge(&parse_json(body)?, current);
    }
    let accepted = "application/merge-patch+json, application/json-patch+json";
    Err(Problem::new(Code::UnsupportedMedia, format!("a patch is one of {accepted}"))
        .with_header(http::HeaderName::from_static("accept-patch"), http::HeaderValue::from_static(accepted)))
}

fn apply_merge(patch: &Value, mut current: Value) -> Result<Value, Problem> {
    if !patch.is_object() {
        return Err(Problem::malformed(format!("a merge-patch is a JSON object, not {}", kind_of(patch))));
    }
    json_patch::merge(&mut current, patch);
    Ok(current)
}

fn apply_operations(patch: &Value, mut current: Value) -> Result<Value, Problem> {
    let Value::Array(operations) = patch else {
        return Err(Problem::malformed(format!(
            "a JSON Patch is an array of operations, not {}",
            kind_of(patch)
        )));
    };
    if operations.len() > PATCH_OPERATIONS_MAX {
        let detail = format!(
            "the patch has {} operations; at most {PATCH_OPERATIONS_MAX} are allowed",
            operations.len()
        );
        return Err(Problem::new(Code::TooLarge, detail));
    }
    for (index, operation) in operations.iter().enumerate() {
        let operation = serde_json::from_value::<PatchOperation>(operation.clone())
            .map_err(|error| Problem::malformed(format!("operation {index} cannot be read: {error}")))?;
        let copies = matches!(operation, PatchOperation::Copy(_));
        json_patch::patch_unsafe(&mut current, &Patch(vec![operation])).map_err(|error| {
            let field = format!("[{index}]");
            let (code, rule) = match error.kind {
                PatchErrorKind::TestFailed => (Code::Conflict, "test_failed"),
                _ => (Code::Invalid, "does_not_apply"),
            };
            Problem::new(code, format!("operation {index} at {:?}: {}", error.path.as_str(), error.kind))
                .with_field(field, rule, error.kind.to_string())
        })?;
        if copies {
            within_bounds(&current)?;
        }
    }
    within_bounds(&current)?;
    Ok(current)
}

/// Operations build what no body could bring: a document too large, or too deep to be sent again.
fn within_bounds(document: &Value) -> Result<(), Problem> {
    let (bytes, depth) = measure(document);
    if bytes > PATCHED_BYTES_MAX {
        return Err(Problem::new(Code::TooLarge, "the patched document grows too large"));
    }
    if depth > JSON_DEPTH_MAX {
        return Err(Problem::new(
            Code::Invalid,
            format!("the patched document nests deeper than {JSON_DEPTH_MAX}"),
        ));
    }
    Ok(())
}

/// Roughly how many bytes a value takes as text, and how deep it nests.
fn measure(value: &Value) -> (usize, usize) {
    let inside = |(bytes, depth): (usize, usize), (key_bytes, item): (usize, &Value)| {
        let (item_bytes, item_depth) = measure(item);
        (bytes + key_bytes + item_bytes, depth.max(item_depth))
    };
    match value {
        Value::String(text) => (text.len() + 2, 0),
        Value::Null | Value::Bool(_) | Value::Number(_) => (8, 0),
        Value::Array(items) => {
            let (bytes, depth) = items.iter().map(|item| (1, item)).fold((2, 0), inside);
            (bytes, depth + 1)
        }
        Value::Object(entries) => {
            let (bytes, depth) = entries.iter().map(|(key, item)| (key.len() + 4, item)).fold((2, 0), inside);
            (bytes, depth + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patch_follows_the_table_of_rfc_7386() {
        for (current, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let body = serde_json::to_vec(&patch).unwrap();
            for media in [None, Some("application/merge-patch+json"), Some("application/json; charset=utf-8")]
            {
                assert_eq!(apply_patch(media, &body, current.clone()).unwrap(), result, "{patch}");
            }
        }
        for body in ["[]", "null", "\"x\"", "{\"a\":1,\"a\":2}"] {
            let problem = apply_patch(None, body.as_bytes(), json!({})).unwrap_err();
            assert_eq!(problem.code(), Code::Malformed, "{body}");
        }
    }

    fn operations(patch: &Value, current: Value) -> Result<Value, Problem> {
        apply_patch(Some("application/json-patch+json"), &serde_json::to_vec(patch).unwrap(), current)
    }

    #[test]
    fn json_patch_follows_rfc_6902() {
        for (current, patch, result) in [
            (
                json!({"foo": "bar"}),
                json!([{"op": "add", "path": "/baz", "value": "q"}]),
                json!({"foo": "bar", "baz": "q"}),
            ),
            (
                json!({"foo": ["a", "b"]}),
                json!([{"op": "add", "path": "/foo/1", "value": "q"}]),
                json!({"foo": ["a", "q", "b"]}),
            ),
            (
                json!({"foo": ["a"]}),
                json!([{"op": "add", "path": "/foo/-", "value": "b"}]),
                json!({"foo": ["a", "b"]}),
            ),
            (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), json!({"b": 2})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "/a", "value": null}]), json!({"a": null})),
            (
                json!({"a": {"b": 1}}),
                json!([{"op": "move", "from": "/a/b", "path": "/c"}]),
                json!({"a": {}, "c": 1}),
            ),
            (json!({"a": 1}), json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({"a": 1, "b": 1})),
            (
                json!({"a/b": 1, "m~n": 2}),
                json!([{"op": "test", "path": "/a~1b", "value": 1}, {"op": "test", "path": "/m~0n", "value": 2}]),
                json!({"a/b": 1, "m~n": 2}),
            ),
        ] {
            assert_eq!(operations(&patch, current).unwrap(), result, "{patch}");
        }
    }

    #[test]
    fn a_patch_that_does_not_fit_names_its_operation() {
        let current = json!({"a": 1});
        for (patch, code, words) in [
            (
                json!([{"op": "test", "path": "/a", "value": 1}, {"op": "test", "path": "/a", "value": 2}]),
                Code::Conflict,
                "operation 1",
            ),
            (json!([{"op": "remove", "path": "/zzz"}]), Code::Invalid, "operation 0"),
            (json!([{"op": "replace", "path": "/zzz", "value": 1}]), Code::Invalid, "operation 0"),
            (json!([{"op": "grow", "path": "/a"}]), Code::Malformed, "operation 0"),
            (json!([{"op": "add", "path": "a", "value": 1}]), Code::Malformed, "operation 0"),
            (json!({"op": "add"}), Code::Malformed, "array"),
            (json!(vec![json!({"op": "test", "path": "/a", "value": 1}); 101]), Code::TooLarge, "101"),
        ] {
            let problem = operations(&patch, current.clone()).unwrap_err();
            assert_eq!(problem.code(), code, "{patch}");
            assert!(problem.detail().contains(words), "{}", problem.detail());
        }
    }

    #[test]
    fn copies_cannot_grow_without_end() {
        let doubling: Vec<Value> =
            (0..100).map(|n| json!({"op": "copy", "from": "", "path": format!("/{n}")})).collect();
        let problem = operations(&json!(doubling), json!({"a": "x"})).unwrap_err();
        assert!([Code::TooLarge, Code::Invalid].contains(&problem.code()), "{problem}");
        let wide: Vec<Value> =
            (0..100).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/{n}")})).collect();
        let problem = operations(&json!(wide), json!({"a": "x".repeat(1_000_000)})).unwrap_err();
        assert_eq!(problem.code(), Code::TooLarge);
        let deepening = json!(vec![json!({"op": "move", "from": "/a", "path": "/a/a"})]);
        assert!(operations(&deepening, json!({"a": {}})).is_err());
        let deep: Vec<Value> =
            (0..70).map(|n| json!({"op": "add", "path": "/a".repeat(n + 1), "value": {}})).collect();
        assert_eq!(operations(&json!(deep), json!({})).unwrap_err().code(), Code::Invalid);
    }

    #[test]
    fn other_media_types_are_told_what_is_taken() {
        let problem = apply_patch(Some("text/plain"), b"{}", json!({})).unwrap_err();
        assert_eq!(problem.code(), Code::UnsupportedMedia);
    }
}
