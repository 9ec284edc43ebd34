//! The lists of tenants, and the matches that they remember as false.

use pando_service::name_in;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::ids;

/// The meaning of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListKind {
    /// Businesses that are refused.
    Block,
    /// Businesses that are known to be good: rules read `lists.allowed`.
    Allow,
    /// Names that are screened beside those of the operator's lists.
    Watch,
}

/// A list of a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RiskList)]
pub struct ListShown {
    /// Its id.
    pub id: String,
    /// Its name, which no other list of the tenant has. Matches name it as their source.
    pub name: String,
    /// Its meaning.
    pub kind: ListKind,
    /// How many entries it has.
    pub entries: i64,
    /// Counts the changes.
    pub version: i64,
    /// The caller who made it.
    pub created_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A list as its row has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListRecord {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) kind: ListKind,
    pub(crate) entries: i64,
    pub(crate) version: i64,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// One change of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RiskListChange)]
pub struct ListChange {
    /// The version that it made.
    pub version: i64,
    /// How many entries it added.
    pub added: i64,
    /// How many entries it changed.
    pub changed: i64,
    /// How many entries it removed.
    pub removed: i64,
    /// The caller.
    pub changed_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

/// An entry as its row has it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = RiskListEntry)]
pub struct ListEntry {
    /// Its id, which no other entry of the list has.
    pub entry_id: String,
    /// A hash of its content.
    pub entry_version: String,
    /// Its content, in the form of an upload.
    #[schema(value_type = Object)]
    pub content: Value,
    /// The version of the list in which it came to be as it is.
    pub changed_in: i64,
}

/// A match that is remembered as false, as long as the entry says what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FalsePositive {
    /// The business that is not the one on the list.
    pub business_id: String,
    /// The list, as matches name it.
    pub source: String,
    /// The entry.
    pub entry_id: String,
    /// A hash of the content of the entry at that time.
    pub entry_version: String,
    /// Why the match is false.
    pub reason: String,
    /// The caller who decided so.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl ListKind {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("block", Self::Block), ("allow", Self::Allow), ("watch", Self::Watch)];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }
}

impl ListRecord {
    pub(crate) fn shown(&self) -> ListShown {
        ListShown {
            id: ids::LIST.show(self.id),
            name: self.name.clone(),
            kind: self.kind,
            entries: self.entries,
            version: self.version,
            created_by: self.created_by.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// The entry of the audit log about something that was done to it.
    pub(crate) fn act(&self, event: &'static str, data: Value) -> Change {
        Change { event, id: self.id, version: self.version, data }
    }
}

/// The list that a caller named does not exist.
pub(crate) fn no_list() -> Fault {
    Fault::not_found("list")
}
