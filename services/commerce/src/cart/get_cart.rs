//! Reads a cart, with prices and stock of this moment.

use pando_service::prelude::*;

use super::domain::buyer::Buyer;
use super::domain::contents::{Cart, StoredLine, total};
use super::store::{self, Found};
use crate::Commerce;

impl Commerce {
    /// The cart of a buyer; an empty one if there is none. Two statements read it, however many lines it has.
    pub async fn cart(&self, call: &Call, buyer: &Buyer) -> Result<Cart, Fault> {
        let read = self.0.parts.database.read_primary(call);
        let found = store::find(&read, call.tenant(), buyer, self.0.parts.clock.now()).await?;
        let lines = match &found {
            Some(found) => store::lines(&read, call.tenant(), found.held.id).await?,
            None => Vec::new(),
        };
        self.shown_cart(buyer, found.as_ref(), &lines)
    }

    fn shown_cart(&self, buyer: &Buyer, found: Option<&Found>, lines: &[StoredLine]) -> Result<Cart, Fault> {
        let currency = found.and_then(|found| found.held.currency).unwrap_or(self.0.currency);
        let items = lines.iter().map(|line| line.shown(currency)).collect::<Result<Vec<_>, _>>()?;
        Ok(Cart {
            id: buyer.cart(),
            user_id: buyer.shown().to_owned(),
            total_amount: total(lines, currency)?.decimal(),
            currency,
            item_count: i64::try_from(items.len()).unwrap_or(i64::MAX),
            total_items: items.iter().map(|item| item.quantity).sum(),
            items,
            version: found.map_or(0, |found| found.held.version),
            created_at: found.map(|found| found.held.created_at),
            updated_at: found.map(|found| found.updated_at),
            expires_at: found.map(|found| found.expires_at),
        })
    }
}
