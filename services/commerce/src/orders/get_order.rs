//! Reads an order with its lines and its history.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::order::{Order, SoldLine, Stored};
use super::store;
use super::transition::no_order;
use crate::Commerce;

impl Commerce {
    /// An order of the caller, or any order for a caller who may see all of them.
    pub async fn get_order(&self, call: &Call, id: Uuid) -> Result<Order, Fault> {
        let read = self.0.parts.database.read_primary(call);
        let order = store::find(&read, call.tenant(), id).await?.ok_or_else(no_order)?;
        check_owner(call, &order)?;
        let lines = store::lines(&read, call.tenant(), vec![id]).await?;
        let lines: Vec<SoldLine> = lines.into_iter().map(|(_, line)| line).collect();
        let history = store::history(&read, call.tenant(), id).await?;
        order.shown(&lines, history)
    }
}

/// An order of somebody else does not exist for the caller.
pub(crate) fn check_owner(call: &Call, order: &Stored) -> Result<(), Fault> {
    is_own(call, &order.user).then_some(()).ok_or_else(no_order)
}

/// Whether things of this user are the caller's, or the caller may see all of them.
pub(crate) fn is_own(call: &Call, user: &str) -> bool {
    call.identity.scopes.allow("admin:all") || call.actor() == user
}
