//! The canonical form of JSON, whose hash is the identity of a ruleset.

use std::fmt::Write;

use serde_json::Value as Json;

/// Whole numbers up to here are written alike, whether they came as `1` or as `1.0`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// BLAKE3 of a document: members in the order of their names, no spaces, and one form for each number.
pub(crate) fn hash(document: &Json) -> String {
    let mut text = String::new();
    write(document, &mut text);
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn write(json: &Json, text: &mut String) {
    match json {
        Json::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Json::Object(members) => {
            let mut members: Vec<(&String, &Json)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(&Json::from(name.as_str()), text);
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Json::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < WHOLE_MAX);
            // Writing into a text cannot fail.
            let _ = match whole {
                Some(whole) => write!(text, "{}", whole + 0.0),
                None => write!(text, "{number}"),
            };
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}
