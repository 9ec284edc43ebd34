//! Moves the cart of a guest who has logged in into the cart of the user.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::domain::buyer::{Buyer, GuestToken};
use super::domain::contents::StoredLine;
use super::domain::wish::Wish;
use super::store::{self, Held};
use crate::Commerce;

/// How many units were moved, and how many were not because a line or the cart was full, or has another currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Units that the user's cart has since.
    pub units: i64,
    /// Units that went beyond the most of a line or of a cart, or were in another currency.
    pub dropped: i64,
}

impl Commerce {
    /// Adds the lines of a guest's cart to those of a user, up to the most that a line and a cart can have, and deletes the guest's
    /// cart in the same transaction: a repeat finds nothing to move. The user's cart is always locked first, so that two devices
    /// never wait for each other.
    pub async fn merge_carts(&self, call: &Call, buyer: &Buyer, token: &GuestToken) -> Result<Merged, Fault> {
        // A key names the request that brings the cookie, and not the merge before it.
        let call = &Call { repeat: None, ..call.clone() };
        let guest = &Buyer::guest(token);
        let now = self.0.parts.clock.now();
        let read = self.0.parts.database.read_primary(call);
        if store::find(&read, call.tenant(), guest, now).await?.is_none() {
            return Ok(Merged::default());
        }
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let cart = store::hold(&mut write.tx, call.tenant(), buyer, (now, self.cart_until(now))).await?;
            let merged = match store::lock(&mut write.tx, call.tenant(), guest, now).await? {
                Some(from) => self.pour(&mut write, (from, cart), now).await?,
                // Another request has moved it.
                None => Merged::default(),
            };
            write.done(merged)
        });
        Ok(write.await?.value)
    }

    /// Moves all lines of one held cart into another one.
    async fn pour(
        &self,
        write: &mut Write,
        (from, to): (Held, Held),
        now: Timestamp,
    ) -> Result<Merged, Fault> {
        let tenant = write.call.tenant().clone();
        let lines = store::held_lines(&mut write.tx, &tenant, from.id).await?;
        let there = store::held_lines(&mut write.tx, &tenant, to.id).await?;
        let there: BTreeMap<Uuid, StoredLine> =
            there.into_iter().map(|line| (line.offer.product, line)).collect();
        let (line_max, cart_max) = (self.0.options.cart_line_units_max, self.0.options.cart_units_max);
        // A cart has one currency: lines in another one stay behind.
        let currency = to.currency.or(from.currency);
        let (mut units, mut merged) = (to.units, Merged::default());
        for line in lines {
            let before = there.get(&line.offer.product);
            let had = before.map_or(0, |line| line.quantity);
            let is_foreign = currency.is_some_and(|currency| currency != line.offer.price.currency);
            let room = (i64::from(line_max) - had).min(i64::from(cart_max) - units).max(0);
            let room = if is_foreign { 0 } else { room };
            let moved = line.quantity.min(room);
            merged.units += moved;
            merged.dropped += line.quantity - moved;
            units += moved;
            if moved > 0 {
                let notes = before.map(|line| line.notes.clone()).filter(|notes| !notes.is_empty());
                let notes = Some(notes.unwrap_or(line.notes));
                let wish = Wish { product: line.offer.product, quantity: had + moved, notes };
                store::put_line(&mut write.tx, &tenant, to.id, (&wish, now));
            }
        }
        store::remove(&mut write.tx, &tenant, from.id);
        self.save_cart(write, Held { units, currency, ..to }, ("cart_merged", now));
        Ok(merged)
    }
}
