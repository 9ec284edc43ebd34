//! Outcomes that an earlier version kept, as answers over HTTP. They are in the table for `keep_hours` after an upgrade.

use serde_json::{Value, json};

use crate::Outcome;
use crate::store::REFUSAL;

/// Turns such an answer into an outcome. The body of the answer is the value. The members `created` and `version` are added to it:
/// they are taken from the status and the `ETag`.
pub(crate) fn outcome(status: i64, headers: &[(String, String)], body: Vec<u8>) -> Outcome {
    let is_refusal = status >= REFUSAL;
    let mut value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let tag = headers.iter().find(|(name, _)| name == "etag");
    let version = tag.and_then(|(_, tag)| tag.trim_matches('"').parse::<i64>().ok());
    if let (Value::Null, Some(version)) = (&value, version) {
        value = json!({ "version": version });
    } else if let (Value::Object(members), Some(version)) = (&mut value, version) {
        members.entry("version").or_insert(version.into());
        if !is_refusal {
            members.entry("created").or_insert((status == 201).into());
        }
    }
    Outcome { is_refusal, body: value.to_string().into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_in_status_and_headers_stands_in_the_value() {
        let tag = [("etag".to_owned(), "\"7\"".to_owned())];
        for (status, headers, body, expected) in [
            (201, &tag[..], r#"{"a":1}"#, r#"{"a":1,"created":true,"version":7}"#),
            (200, &tag[..], r#"{"a":1,"version":7}"#, r#"{"a":1,"created":false,"version":7}"#),
            (200, &[], r#"{"a":1}"#, r#"{"a":1}"#),
            (204, &[], "", "null"),
            (204, &tag[..], "", r#"{"version":7}"#),
        ] {
            let outcome = outcome(status, headers, body.into());
            assert!(!outcome.is_refusal);
            let read: Value = serde_json::from_slice(&outcome.body).unwrap();
            assert_eq!(read, serde_json::from_str::<Value>(expected).unwrap(), "{status} {body}");
        }
        assert_eq!(outcome(412, &tag, b"{}".to_vec()), Outcome::refusal(*br#"{"version":7}"#));
    }
}
