//! The operations of a history.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One change of a profile.
pub type Change = pando_service::history::Change<Operation>;

/// The operations on a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The profile was created; this is always version 1.
    Created,
    /// Fields of the profile itself were changed.
    #[default]
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

impl pando_service::history::Operation for Operation {
    const CHANGE: &'static str = "One change of a profile.";
    type Described = Self;
}
