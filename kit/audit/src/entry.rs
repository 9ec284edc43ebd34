//! The entry that a caller records, and the form in which it is stored.

use pando_clock::{Clock, Timestamp};
use pando_database::{DatabaseError, Row, Value, params};
use pando_resilience::Call;
use serde_json::json;
use uuid::Uuid;

use crate::AuditOptions;

/// One entry, as the caller writes it. The log adds the tenant, the actor with its credential and
/// address, the request id, the time and an id.
///
/// An entry is kept for good and cannot be changed when a person is erased. So it must not hold personal data: name the fields that
/// changed and the versions, and not the values.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The operation, such as `customers.update`.
    pub action: &'a str,
    /// The kind of thing that the operation is about, such as `customer`.
    pub resource: &'a str,
    /// The id of that thing.
    pub resource_id: &'a str,
    /// How the operation ended.
    pub result: EntryResult,
    /// Further facts, such as `{"fields": ["email"], "version": 3}`.
    pub details: serde_json::Value,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryResult {
    /// It was done.
    Ok,
    /// It was not allowed, or did not fit the state of the data.
    Refused,
    /// It could not be done, because of an error of the program or its servers.
    Failed,
}

impl EntryResult {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// An entry as it is stored, and as it is hashed. The result is a text here, because somebody may have changed it in the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredEntry {
    pub(crate) tenant: String,
    pub(crate) id: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    /// Empty in entries that are older than this column, as is the next one.
    pub(crate) credential: String,
    pub(crate) client: String,
    pub(crate) request_id: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) resource_id: String,
    pub(crate) result: String,
    pub(crate) details: String,
}

impl StoredEntry {
    /// The entry of a call; and whether something of it was too long, and is shortened.
    pub(crate) fn new(call: &Call, entry: &Entry<'_>, clock: &Clock, options: &AuditOptions) -> (Self, bool) {
        let mut shortened = false;
        let mut text = |text: &str| {
            let (text, cut) = fit(text, options.text_bytes_max);
            shortened |= cut;
            text
        };
        let mut stored = Self {
            tenant: call.tenant().as_str().to_owned(),
            id: clock.fresh_id(),
            at: clock.now(),
            actor: text(call.actor()),
            credential: text(&call.identity.credential),
            client: call.client.map(|client| client.to_canonical().to_string()).unwrap_or_default(),
            request_id: text(&call.request_id),
            action: text(entry.action),
            resource: text(entry.resource),
            resource_id: text(entry.resource_id),
            result: entry.result.as_str().to_owned(),
            details: entry.details.to_string(),
        };
        if stored.details.len() > options.details_bytes_max {
            shortened = true;
            let hash = blake3::hash(stored.details.as_bytes()).to_string();
            stored.details =
                json!({"shortened": {"bytes": stored.details.len(), "blake3": hash}}).to_string();
        }
        (stored, shortened)
    }

    /// The columns of the entry, in the order of `store::COLUMNS`.
    pub(crate) fn into_values(self) -> Vec<Value> {
        Vec::from(params![
            self.tenant,
            self.id,
            self.at,
            self.actor,
            self.request_id,
            self.action,
            self.resource,
            self.resource_id,
            self.result,
            self.details,
            self.credential,
            self.client
        ])
    }

    /// Reads the columns that `into_values` writes.
    pub(crate) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            tenant: row.get("tenant")?,
            id: row.get("id")?,
            at: row.get("at")?,
            actor: row.get("actor")?,
            credential: row.get("credential")?,
            client: row.get("client")?,
            request_id: row.get("request_id")?,
            action: row.get("action")?,
            resource: row.get("resource")?,
            resource_id: row.get("resource_id")?,
            result: row.get("result")?,
            details: row.get("details")?,
        })
    }
}

/// The text without NUL characters, which no engine stores, and cut to `bytes_max`; and whether it was cut.
fn fit(text: &str, bytes_max: usize) -> (String, bool) {
    const CUT: &str = "…";
    let mut fitting = text.replace('\0', " ");
    let cut = fitting.len() > bytes_max;
    if cut {
        fitting.truncate(fitting.floor_char_boundary(bytes_max - CUT.len()));
        fitting.push_str(CUT);
    }
    (fitting, cut)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    /// An entry that is always the same.
    pub(crate) fn stored() -> StoredEntry {
        let clock = Clock::scripted("2026-01-01T00:00:00Z".parse().unwrap());
        let call = Call::internal("test", Duration::from_secs(1));
        let entry = Entry {
            action: "customers.update",
            resource: "customer",
            resource_id: "7",
            result: EntryResult::Ok,
            details: json!({"version": 3}),
        };
        StoredEntry::new(&call, &entry, &clock, &AuditOptions::default()).0
    }

    #[test]
    fn what_is_too_long_is_shortened_and_does_not_fail() {
        let (clock, options) = (Clock::system(), AuditOptions::default());
        let call = Call::internal(&"é".repeat(101), Duration::from_secs(1)).by("a\0b");
        let long = json!("x".repeat(4_095));
        let entry = Entry {
            action: &"a".repeat(201),
            resource: &"r".repeat(200),
            resource_id: "",
            result: EntryResult::Refused,
            details: long.clone(),
        };
        let (stored, shortened) = StoredEntry::new(&call, &entry, &clock, &options);
        assert!(shortened);
        assert_eq!(stored.request_id, format!("{}…", "é".repeat(98)));
        assert_eq!(stored.action, format!("{}…", "a".repeat(197)));
        assert_eq!(stored.resource, "r".repeat(200));
        assert_eq!(stored.actor, "a b");
        let details: serde_json::Value = serde_json::from_str(&stored.details).unwrap();
        let hash = blake3::hash(long.to_string().as_bytes()).to_string();
        assert_eq!(details, json!({"shortened": {"bytes": 4_097, "blake3": hash}}));
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        let (clock, options) = (Clock::system(), AuditOptions::default());
        let call = Call::internal("r", Duration::from_secs(1));
        let details = json!({"z": "\0", "a": [1.0, null], "n": "x".repeat(4_060)});
        let entry = Entry {
            action: "a",
            resource: "b",
            resource_id: "c",
            result: EntryResult::Failed,
            details: details.clone(),
        };
        let (stored, shortened) = StoredEntry::new(&call, &entry, &clock, &options);
        assert!(!shortened);
        assert_eq!(stored.details, details.to_string());
        assert_eq!((stored.actor.as_str(), stored.result.as_str()), ("system", "failed"));
    }
}
