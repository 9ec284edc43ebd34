//! Hands the lines of a cart to an order, in the transaction of the order.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::buyer::Buyer;
use super::store;
use crate::Commerce;
use crate::domain::faults::against_the_rules;
use crate::inventory::Line;

impl Commerce {
    /// Takes all lines out of a buyer's cart, in a transaction of its own.
    pub async fn take_cart(&self, call: &Call, buyer: &Buyer) -> Result<Written<Vec<(Uuid, i64)>>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let lines = self.cart_of(&mut write, buyer).await?;
            self.empty_cart_of(&mut write, buyer).await?;
            write.done(lines.iter().map(|line| (line.product, line.quantity)).collect())
        });
        write.await
    }

    /// The lines of a buyer's cart, which stays locked until the transaction ends.
    pub async fn cart_of(&self, write: &mut Write, buyer: &Buyer) -> Result<Vec<Line>, Fault> {
        let (now, tenant) = (self.0.parts.clock.now(), write.call.tenant().clone());
        let lines = match store::lock(&mut write.tx, &tenant, buyer, now).await? {
            Some(cart) => store::held_lines(&mut write.tx, &tenant, cart.id).await?,
            None => Vec::new(),
        };
        if lines.is_empty() {
            return Err(against_the_rules("CART_EMPTY", "the cart is empty"));
        }
        Ok(lines.iter().map(|line| Line { product: line.offer.product, quantity: line.quantity }).collect())
    }

    /// Empties a buyer's cart with the transaction: its lines have become an order.
    pub async fn empty_cart_of(&self, write: &mut Write, buyer: &Buyer) -> Result<(), Fault> {
        let (now, tenant) = (self.0.parts.clock.now(), write.call.tenant().clone());
        if let Some(cart) = store::lock(&mut write.tx, &tenant, buyer, now).await? {
            self.empty(write, cart, now);
        }
        Ok(())
    }
}
