//! Shows the lists of a tenant.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Risk;
use crate::change_lists::LISTS_MAX;
use crate::domain::list::{ListChange, ListEntry, ListShown, no_list};
use crate::store::tenant_lists;

/// How many changes of a list are shown.
const CHANGES_MAX: usize = 100;

/// The lists of a tenant, the oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RiskLists)]
pub struct ListsShown {
    /// The lists.
    pub lists: Vec<ListShown>,
}

/// A list, and its latest changes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RiskListHistory)]
pub struct ListHistory {
    /// The list.
    pub list: ListShown,
    /// Its latest changes, the newest first: at most 100.
    pub changes: Vec<ListChange>,
}

/// A page of entries, by their ids.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RiskListEntries)]
pub struct ListEntries {
    /// The entries.
    pub entries: Vec<ListEntry>,
    /// The `after` of the next page; null on the last one.
    pub next: Option<String>,
}

impl Risk {
    /// All lists of a tenant.
    pub async fn list_lists(&self, call: &Call) -> Result<ListsShown, Fault> {
        let read = self.0.parts.database.read(call);
        let all = tenant_lists::all(&read, call.tenant(), LISTS_MAX).await?;
        Ok(ListsShown { lists: all.iter().map(crate::domain::list::ListRecord::shown).collect() })
    }

    /// A list, and its latest changes.
    pub async fn get_list(&self, call: &Call, id: Uuid) -> Result<ListHistory, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let list = tenant_lists::find(&read, tenant, id).await?.ok_or_else(no_list)?.shown();
        Ok(ListHistory { list, changes: tenant_lists::changes(&read, (tenant, id), CHANGES_MAX).await? })
    }

    /// A page of the entries of a list, by their ids.
    pub async fn list_entries(
        &self,
        call: &Call,
        id: Uuid,
        (after, count): (&str, usize),
    ) -> Result<ListEntries, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        tenant_lists::find(&read, tenant, id).await?.ok_or_else(no_list)?;
        let mut entries = tenant_lists::entries(&read, (tenant, id), (after, count + 1)).await?;
        let more = entries.len() > count;
        entries.truncate(count);
        let next = entries.last().filter(|_| more).map(|last| last.entry_id.clone());
        Ok(ListEntries { entries, next })
    }
}
