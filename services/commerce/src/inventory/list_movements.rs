//! Reads the ledger of a product page by page.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::stock::MovementShown;
use super::store::levels;
use crate::Commerce;
use crate::domain::faults::no_product;

/// A page of movements.
#[derive(Clone, Debug)]
pub struct MovementPage {
    /// The movements, the latest first.
    pub movements: Vec<MovementShown>,
    /// The end of the page, if there are more.
    pub next: Option<PageEnd>,
    /// How many there are in all, but at most 10,000.
    pub total: u64,
}

impl Commerce {
    /// A page of `size` movements of a product, after the end of a page or after `offset` movements.
    pub async fn list_movements(
        &self,
        call: &Call,
        product: Uuid,
        (after, offset, size): (Option<&PageEnd>, usize, usize),
    ) -> Result<MovementPage, Fault> {
        let (read, tenant) = (self.0.parts.database.read_primary(call), call.tenant());
        levels::level(&read, tenant, product).await?.ok_or_else(no_product)?;
        let page = levels::movements(&read, tenant, product, (after, offset, size)).await?;
        let total = levels::count_movements(&read, tenant, product).await?;
        Ok(MovementPage { movements: page.items, next: page.next, total })
    }
}
