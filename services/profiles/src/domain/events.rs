//! The events of profiles: one for every change, published in the transaction that makes the change.
//!
//! An event says what happened to which profile, and nothing else about the person, because erased data must not live
//! on in a log. A subscriber that needs the profile reads it and compares versions.

use pando_service::Change;
use serde_json::{Map, Value, json};

use crate::domain::history::Operation;
use crate::domain::profile::{Profile, ProfileId};

/// The name of the service in events.
pub(crate) const SERVICE: &str = "profiles";

/// The type of the event of a new profile.
pub(crate) const CREATED: &str = "profile_created";
const UPDATED: &str = "profile_updated";
const DELETED: &str = "profile_deleted";
const ERASED: &str = "profile_erased";

/// A profile was made.
pub(crate) fn created(profile: &Profile) -> Change {
    change(CREATED, profile, json!({}))
}

/// A profile was changed; the fields that differ have the names they had before.
pub(crate) fn of(profile: &Profile, operation: Operation, fields: &Map<String, Value>) -> Change {
    let names = |names: Vec<&str>| json!({ "changed": names });
    match operation {
        Operation::Created => created(profile),
        Operation::Updated => change(UPDATED, profile, names(fields.keys().map(String::as_str).collect())),
        Operation::AddressPut => change(UPDATED, profile, names(vec!["address"])),
        Operation::PreferencesPut => change(UPDATED, profile, names(vec!["preferences"])),
        Operation::Restored => change(UPDATED, profile, json!({"changed": [], "restored": true})),
        Operation::Deleted => change(DELETED, profile, json!({})),
    }
}

/// Nothing of a profile is left.
pub(crate) fn erased(id: ProfileId, version: i64) -> Change {
    Change { event: ERASED, id: id.into(), version, data: json!({}) }
}

fn change(event: &'static str, profile: &Profile, data: Value) -> Change {
    Change { event, id: profile.id.into(), version: profile.version, data }
}
