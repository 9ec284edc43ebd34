//! Puts other lines in the place of all lines of a cart.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use uuid::Uuid;

use super::add_item::check_offer;
use super::domain::buyer::Buyer;
use super::domain::contents::Offer;
use super::domain::wish::Wish;
use super::store::{self, Held};
use crate::Commerce;
use crate::domain::faults::no_product;

impl Commerce {
    /// Replaces all lines of a cart. Two wishes for one product are one line.
    pub async fn replace_cart(
        &self,
        call: &Call,
        buyer: &Buyer,
        wishes: &[Wish],
    ) -> Result<Written<()>, Fault> {
        let mut lines: BTreeMap<Uuid, Wish> = BTreeMap::new();
        for wish in wishes {
            let line = lines.entry(wish.product).or_insert_with(|| Wish { quantity: 0, ..wish.clone() });
            line.quantity += wish.quantity;
            line.notes = wish.notes.clone().or_else(|| line.notes.take());
        }
        let lines = &lines;
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let (now, tenant) = (self.0.parts.clock.now(), call.tenant());
            let cart = store::hold(&mut write.tx, tenant, buyer, (now, self.cart_until(now))).await?;
            let offers = store::offers(&mut write.tx, tenant, lines.keys().copied().collect()).await?;
            let offers: BTreeMap<Uuid, Offer> =
                offers.into_iter().map(|offer| (offer.product, offer)).collect();
            let units = lines.values().map(|line| line.quantity).sum();
            let currency = offers.values().next().map(|offer| offer.price.currency);
            store::remove_lines(&mut write.tx, tenant, cart.id);
            for line in lines.values() {
                let offer = offers.get(&line.product).ok_or_else(no_product)?;
                check_offer(offer, line.quantity, currency.unwrap_or(self.0.currency).code())?;
                self.check_units(line.quantity, units)?;
                store::put_line(&mut write.tx, tenant, cart.id, (line, now));
            }
            self.save_cart(&mut write, Held { units, currency, ..cart }, ("cart_replaced", now));
            write.done(())
        });
        write.await
    }
}
