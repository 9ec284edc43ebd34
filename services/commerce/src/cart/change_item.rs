//! Changes how many units of a product are in a cart.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::buyer::Buyer;
use super::domain::contents::{CartItem, StoredLine};
use super::remove_item::no_item;
use super::store::{self, Held};
use crate::Commerce;

impl Commerce {
    /// Changes a line: its number of units, and the words of the buyer if there are some. No units take the line away.
    pub async fn change_cart_item(
        &self,
        call: &Call,
        buyer: &Buyer,
        product: Uuid,
        (quantity, notes): (i64, Option<String>),
    ) -> Result<Written<Option<CartItem>>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let (now, tenant) = (self.0.parts.clock.now(), call.tenant());
            let cart = store::lock(&mut write.tx, tenant, buyer, now).await?.ok_or_else(no_item)?;
            let line = store::line(&mut write.tx, tenant, (cart.id, product)).await?.ok_or_else(no_item)?;
            if quantity == 0 {
                store::remove_line(&mut write.tx, tenant, (cart.id, product));
                let cart = Held { units: cart.units - line.quantity, ..cart };
                self.save_cart(&mut write, cart, ("cart_item_removed", now));
                return write.done(None);
            }
            let before = line.quantity;
            let notes = notes.unwrap_or(line.notes);
            let line = StoredLine { quantity, notes, updated_at: now, ..line };
            let item = self.put(&mut write, cart, (&line, before), now)?;
            write.done(Some(item))
        });
        write.await
    }
}
