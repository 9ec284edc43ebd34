//! The history of profiles.

use pando_service::history::History;
use serde_json::Map;

use crate::domain::history::{Change, Operation};
use crate::store::StoredProfile;

/// Of old changes the addresses stay, because an erasure looks for every address that the person had.
pub(crate) static HISTORY: History = History::new("profiles", "profile_changes", "profile_id", &["email"]);

/// The creation of a profile that is still at its first version.
pub(crate) fn creation(stored: &StoredProfile) -> Change {
    Change {
        version: 1,
        operation: Operation::Created,
        changed_at: stored.profile.created_at,
        changed_by: stored.created_by.clone(),
        before: Map::new(),
        after: stored.profile.draft().document(),
    }
}
