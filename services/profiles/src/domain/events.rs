//! The events of profiles: one for every change, published in the transaction that makes the change.
//!
//! An event says what happened to which profile, and nothing else about the person, because erased data must not live
//! on in a log. A subscriber that needs the profile reads it and compares versions.

use pando_service::{Change, EventType};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::history::Operation;
use crate::domain::profile::{Profile, ProfileId};

/// The name of the service in events.
pub(crate) const SERVICE: &str = "profiles";

/// The type of the event of a new profile.
pub(crate) const CREATED: &str = "profile_created";
const UPDATED: &str = "profile_updated";
const DELETED: &str = "profile_deleted";
const ERASED: &str = "profile_erased";

/// The types of events of this service.
pub(crate) const EVENTS: &[EventType] = &[
    EventType::of::<Nothing>(CREATED, "A profile was created."),
    EventType::of::<Updated>(UPDATED, "Fields of a profile were changed, or a deleted profile was restored."),
    EventType::of::<Nothing>(DELETED, "A profile was deleted; it can be restored."),
    EventType::of::<Nothing>(ERASED, "Nothing of a profile is left."),
];

/// The data of events that need none.
#[derive(Serialize, ToSchema)]
struct Nothing {}

/// The data of [`UPDATED`].
#[derive(Serialize, ToSchema)]
struct Updated<'a> {
    /// The names of the fields that differ.
    changed: Vec<&'a str>,
    /// Whether the profile had been deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    restored: bool,
}

/// A profile was made.
pub(crate) fn created(profile: &Profile) -> Change {
    change(CREATED, profile, &Nothing {})
}

/// A profile was changed; the fields that differ have the names they had before.
pub(crate) fn of(profile: &Profile, operation: Operation, fields: &Map<String, Value>) -> Change {
    let names = |changed| change(UPDATED, profile, &Updated { changed, restored: false });
    match operation {
        Operation::Created => created(profile),
        Operation::Updated => names(fields.keys().map(String::as_str).collect()),
        Operation::AddressPut => names(vec!["address"]),
        Operation::PreferencesPut => names(vec!["preferences"]),
        Operation::Restored => change(UPDATED, profile, &Updated { changed: Vec::new(), restored: true }),
        Operation::Deleted => change(DELETED, profile, &Nothing {}),
    }
}

/// Nothing of a profile is left.
pub(crate) fn erased(id: ProfileId, version: i64) -> Change {
    Change { event: ERASED, id: id.into(), version, data: data_of(&Nothing {}) }
}

fn change(event: &'static str, profile: &Profile, data: &impl Serialize) -> Change {
    Change { event, id: profile.id.into(), version: profile.version, data: data_of(data) }
}

/// Texts and truth values: there is nothing that JSON cannot hold.
fn data_of(data: &impl Serialize) -> Value {
    serde_json::to_value(data).unwrap_or_default()
}
