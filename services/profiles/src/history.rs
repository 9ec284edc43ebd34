//! The form of a change: who changed which fields at which time, with the values before and after.

use pando_clock::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One change of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// The version the change made.
    pub version: i64,
    /// What was done.
    pub operation: Operation,
    /// When.
    #[schema(value_type = String, format = "date-time")]
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: String,
    /// The fields that changed, as they were.
    #[schema(value_type = Object)]
    pub before: Map<String, Value>,
    /// The same fields, as they became.
    #[schema(value_type = Object)]
    pub after: Map<String, Value>,
}

/// What was done to a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It was made: always version 1.
    Created,
    /// Its own fields were changed.
    Updated,
    /// Its address was written.
    AddressPut,
    /// Its preferences were written.
    PreferencesPut,
    /// It was deleted, and can be restored for a while.
    Deleted,
    /// It was brought back.
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
