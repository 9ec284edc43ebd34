//! An item of a batch, and what became of it.

use pando_service::{FieldError, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::profile::ProfileId;

/// The fields of one item, or why they could not be read.
pub type Item = Result<Map<String, Value>, Violations>;

/// The result of one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemOutcome {
    /// What was done with the item.
    pub status: ItemStatus,
    /// The id of the written profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub id: Option<ProfileId>,
    /// The new version of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Why the item was not written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// What was done with one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// A profile was created: the item had no id, or an unused one.
    Created,
    /// The profile with the item's id was changed, or had the values already.
    Updated,
    /// The e-mail address or the id is taken; nothing was written.
    Conflict,
    /// The item is not valid; nothing was written.
    Invalid,
}
