//! The form of a change: who changed which fields at which time, with the values before and after.

use pando_clock::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One change of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// The version that the change created.
    pub version: i64,
    /// The operation.
    pub operation: Operation,
    /// The time of the change.
    #[schema(value_type = String, format = "date-time")]
    pub changed_at: Timestamp,
    /// The name of whoever made the change.
    pub changed_by: String,
    /// The changed fields with their values before the change.
    #[schema(value_type = Object)]
    pub before: Map<String, Value>,
    /// The same fields with their values after the change.
    #[schema(value_type = Object)]
    pub after: Map<String, Value>,
}

/// The operations on a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The profile was created; this is always version 1.
    Created,
    /// Fields of the profile itself were changed.
    Updated,
    /// The address was written.
    AddressPut,
    /// The preferences were written.
    PreferencesPut,
    /// The profile was deleted; it can be restored for some time.
    Deleted,
    /// The profile was restored.
    Restored,
}

impl Operation {
    const ALL: [Self; 6] =
        [Self::Created, Self::Updated, Self::AddressPut, Self::PreferencesPut, Self::Deleted, Self::Restored];

    /// The name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::AddressPut => "address_put",
            Self::PreferencesPut => "preferences_put",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
        }
    }

    /// The operation of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }
}

/// The fields in which two documents differ, as they were and as they became.
pub(crate) fn difference(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> (Map<String, Value>, Map<String, Value>) {
    let mut changed = (Map::new(), Map::new());
    for (field, new) in after {
        match before.get(field) {
            Some(old) if old == new => {}
            old => {
                changed.0.insert(field.clone(), old.cloned().unwrap_or(Value::Null));
                changed.1.insert(field.clone(), new.clone());
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changed_is_kept() {
        let before = json!({"name": "a", "bio": "x"});
        let after = json!({"name": "b", "bio": "x", "new": 1});
        let (old, new) = difference(before.as_object().unwrap(), after.as_object().unwrap());
        assert_eq!(Value::Object(old), json!({"name": "a", "new": null}));
        assert_eq!(Value::Object(new), json!({"name": "b", "new": 1}));
    }
}
