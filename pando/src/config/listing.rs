//! The list of effective settings for people: each with its origin, and without secrets.

use pando_telemetry::redact;
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
            // An address hides itself altogether; without its password it may be read.
            Json::String(_) => self
                .figment
                .extract_inner::<String>(key)
                .ok()
                .or_else(|| value.as_str().map(str::to_owned))?,
            other => return Some(other.to_string()),
        };
        Some(Json::from(redact(&text)).to_string())
    }
}

/// Whether the name alone shows that the value is a secret.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or_default();
    ["password", "secret", "token", "key"].iter().any(|word| name.ends_with(word))
}
