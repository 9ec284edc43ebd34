//! Puts a product into a cart: one line and the row of the cart are written, however many lines there are.

use pando_service::prelude::*;
use serde_json::json;

use super::domain::buyer::Buyer;
use super::domain::contents::{CartItem, Offer, StoredLine};
use super::domain::wish::Wish;
use super::store::{self, Held};
use crate::Commerce;
use crate::domain::faults::{against_the_rules, no_product};

impl Commerce {
    /// Adds units of a product to those that the cart has of it.
    pub async fn add_to_cart(
        &self,
        call: &Call,
        buyer: &Buyer,
        wish: &Wish,
    ) -> Result<Written<CartItem>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let (now, tenant) = (self.0.parts.clock.now(), call.tenant());
            let cart = store::hold(&mut write.tx, tenant, buyer, (now, self.cart_until(now))).await?;
            let there = store::line(&mut write.tx, tenant, (cart.id, wish.product)).await?;
            let offers = store::offers(&mut write.tx, tenant, vec![wish.product]).await?;
            let offer = offers.into_iter().next().ok_or_else(no_product)?;
            let before = there.as_ref().map_or(0, |line| line.quantity);
            let line = StoredLine {
                offer,
                quantity: before + wish.quantity,
                notes: wish
                    .notes
                    .clone()
                    .or(there.as_ref().map(|line| line.notes.clone()))
                    .unwrap_or_default(),
                added_at: there.map_or(now, |line| line.added_at),
                updated_at: now,
            };
            let item = self.put(&mut write, cart, (&line, before), now)?;
            write.done(item)
        });
        write.await
    }

    /// Writes a line of a held cart, which had `before` units of its product, and the row of the cart.
    pub(super) fn put(
        &self,
        write: &mut Write,
        cart: Held,
        (line, before): (&StoredLine, i64),
        now: Timestamp,
    ) -> Result<CartItem, Fault> {
        let currency = cart.currency.unwrap_or(line.offer.price.currency);
        check_offer(&line.offer, line.quantity, currency.code())?;
        let units = cart.units - before + line.quantity;
        self.check_units(line.quantity, units)?;
        let wish =
            Wish { product: line.offer.product, quantity: line.quantity, notes: Some(line.notes.clone()) };
        let tenant = write.call.tenant().clone();
        store::put_line(&mut write.tx, &tenant, cart.id, (&wish, now));
        self.save_cart(write, Held { units, currency: Some(currency), ..cart }, ("cart_item_set", now));
        line.shown(currency)
    }

    /// Writes the row of a changed cart, and notes the act in the audit log.
    pub(super) fn save_cart(&self, write: &mut Write, cart: Held, (act, now): (&'static str, Timestamp)) {
        let tenant = write.call.tenant().clone();
        let currency = cart.currency.filter(|_| cart.units > 0);
        let cart = Held { version: cart.version + 1, currency, ..cart };
        store::save(&mut write.tx, &tenant, &cart, (now, self.cart_until(now)));
        let data = json!({"units": cart.units});
        write.acted(Change { event: act, id: cart.id, version: cart.version, data });
    }

    /// Whether a line and a cart may have so many units.
    pub(super) fn check_units(&self, of_line: i64, of_cart: i64) -> Result<(), Fault> {
        let (line_max, cart_max) = (self.0.options.cart_line_units_max, self.0.options.cart_units_max);
        let message = match () {
            () if of_line > i64::from(line_max) => format!("a line of a cart has at most {line_max} units"),
            () if of_cart > i64::from(cart_max) => format!("a cart has at most {cart_max} units"),
            () => return Ok(()),
        };
        Err(against_the_rules("CART_ITEM_LIMIT_EXCEEDED", message.clone()).with_field(
            "quantity",
            "too_large",
            message,
        ))
    }

    /// Until when a cart is kept that is changed now.
    pub(super) fn cart_until(&self, now: Timestamp) -> Timestamp {
        now.plus_micros(i64::from(self.0.options.cart_days) * 24 * 3_600 * 1_000_000)
    }
}

/// Whether so many units of a product can be put into a cart of this currency.
pub(super) fn check_offer(offer: &Offer, quantity: i64, currency: &str) -> Result<(), Fault> {
    if !offer.is_offered {
        return Err(against_the_rules("PRODUCT_NOT_AVAILABLE", "the product is not offered"));
    }
    if offer.price.currency.code() != currency {
        let message =
            format!("the cart is in {currency}, and the product is sold in {}", offer.price.currency);
        return Err(against_the_rules("BUSINESS_RULE_VIOLATION", message));
    }
    if offer.available < quantity {
        let message = format!("{quantity} are wanted, and {} are available", offer.available);
        let fault = against_the_rules("INSUFFICIENT_STOCK", "there are not enough units");
        return Err(fault.with_field(offer.product.to_string(), "insufficient_stock", message));
    }
    Ok(())
}
