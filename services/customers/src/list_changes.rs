//! Reads the history of one customer.

use pando_service::Violations;
use pando_service::prelude::*;

use crate::Customers;
use crate::domain::faults::no_customer;
use crate::domain::history;
use crate::domain::id::CustomerId;
use crate::list_customers::PAGE_BYTES_MAX;

/// How many changes a page has unless it says otherwise, and at most.
pub(crate) const LIMIT: (usize, usize) = (100, 1_000);

/// Some changes of a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangePage {
    /// The changes, the latest first.
    pub changes: Vec<history::Change>,
    /// The next page has the changes before this version. None on the last page.
    pub next: Option<i64>,
}

impl Customers {
    /// The changes before a version, the latest first and the creation last. A deleted customer has no history.
    pub async fn list_changes(
        &self,
        call: &Call,
        id: &str,
        before_version: Option<i64>,
        limit: usize,
    ) -> Result<ChangePage, Fault> {
        let refuse = |field: &str, message: String| Err(Violations::one(field, "value", message).into());
        if !(1..=LIMIT.1).contains(&limit) {
            return refuse("limit", format!("must be from 1 to {}", LIMIT.1));
        }
        let before = before_version.unwrap_or(i64::MAX);
        if before < 1 {
            return refuse("before_version", "must be a version".to_owned());
        }
        let id = CustomerId::parse(id).map_err(|_| no_customer())?;
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let stored = self.0.store.find(&read, tenant, id.key()).await?.ok_or_else(no_customer)?;
        let mut changes = self.0.store.changes(&read, tenant, &stored, before, limit).await?;
        let fitting = fitting(&changes);
        let is_full = changes.len() == limit || fitting < changes.len();
        changes.truncate(fitting);
        let next = changes.last().map(|last| last.version).filter(|version| is_full && *version > 1);
        Ok(ChangePage { changes, next })
    }
}

/// How many of these changes have as many bytes together as a page may have; one at least.
fn fitting(changes: &[history::Change]) -> usize {
    let mut bytes = 0;
    let fits = |change: &&history::Change| {
        bytes += serde_json::to_vec(change).map_or(0, |json| json.len());
        bytes <= PAGE_BYTES_MAX
    };
    changes.iter().take_while(fits).count().max(1)
}
