//! The list of effective settings for people: each with its origin, and without secrets.

use pando_telemetry::{redact, shown_address};
use serde_json::Value as Json;

use super::known::leaves;
use super::layers::{DEFAULT, Loaded};

/// One setting in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// Its name, from the root: `http.listen`.
    pub key: String,
    /// Its value as a settings file would hold it; none when it has none. Secrets are replaced.
    pub value: Option<String>,
    /// Which file, variable or flag set it.
    pub origin: String,
}

impl Loaded {
    /// Every setting in force, by name.
    pub fn effective(&self) -> Vec<Effective> {
        let tree = serde_json::to_value(&self.config).expect("the options are plain data");
        let listed = leaves(&tree).into_iter().map(|(key, value)| Effective {
            origin: self.origin(&key),
            value: self.readable(&key, &value),
            key,
        });
        listed.collect()
    }

    /// Which file, variable or flag a setting came from.
    pub fn origin(&self, key: &str) -> String {
        self.figment.find_metadata(key).map_or_else(|| DEFAULT.to_owned(), |found| found.name.to_string())
    }

    fn readable(&self, key: &str, value: &Json) -> Option<String> {
        let text = match value {
            Json::Null => return None,
            Json::String(text) if is_secret(key) && !text.is_empty() => return Some("\"***\"".to_owned()),
            // An address hides itself altogether. Its parts that are no secret may be read.
            Json::String(text) if text == "***" => {
                shown_address(&self.figment.extract_inner::<String>(key).unwrap_or_default())
            }
            Json::String(text) => redact(text),
            other => return Some(without_passwords(key, other).to_string()),
        };
        Some(Json::from(text).to_string())
    }
}

/// The value, but for what may be a secret: the passwords of addresses, and texts where a secret was written by mistake.
fn without_passwords(key: &str, value: &Json) -> Json {
    match value {
        Json::String(text) if key == "redis.addresses" => {
            Json::from(shown_address(&format!("redis://{text}")).trim_start_matches("redis://"))
        }
        // The id of a key is short; the key itself is not.
        Json::String(text) if key == "id" && text.len() > 32 => Json::from("***"),
        Json::String(text) => Json::from(redact(text)),
        Json::Array(items) => items.iter().map(|item| without_passwords(key, item)).collect(),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), without_passwords(name, value))).collect()
        }
        other => other.clone(),
    }
}

/// Whether the name alone shows that the value is a secret.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or_default();
    ["password", "secret", "token", "key"].iter().any(|word| name.ends_with(word))
}

/// Whether the value may contain a secret, beside other things.
pub(super) fn may_hold_secret(key: &str) -> bool {
    is_secret(key)
        || key.ends_with("url")
        || ["vault", "auth"].contains(&key.split('.').next().unwrap_or_default())
}
