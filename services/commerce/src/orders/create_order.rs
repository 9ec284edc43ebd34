//! Places an order: its units are reserved in the same transaction, so no order exists without its units.

use std::collections::BTreeMap;

use pando_queue::{Job, Settings, Unique};
use pando_service::prelude::*;
use uuid::Uuid;

use super::ADVANCE;
use super::domain::order::{Order, SoldLine, Stored};
use super::domain::request::Asked;
use super::domain::status::{OrderStatus, Step};
use super::store;
use super::transition::refused;
use crate::Commerce;
use crate::cart::Buyer;
use crate::cart::domain::contents::Offer;
use crate::cart::store as carts;
use crate::domain::faults::against_the_rules;
use crate::domain::money::Money;
use crate::inventory::Wanted;
use crate::inventory::ledger::Short;
use crate::orders::advance_order::OfOrder;
use crate::payments::domain::means::Chosen;

impl Commerce {
    /// Places an order of this buyer. One that names no lines takes those of the buyer's cart, which is empty afterwards.
    pub(crate) async fn create_order(
        &self,
        call: &Call,
        user: &str,
        asked: &Asked,
    ) -> Result<Written<Order>, Fault> {
        let write = self.0.writes.once_patiently(call, |turn| async move {
            // The card goes to the provider before anything is locked, and to nobody else.
            let method = match &asked.means {
                Some(means) => Some(self.choose_method(call, means).await?),
                None => None,
            };
            let mut write = turn.begin().await?;
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            self.check_waiting(&mut write, user).await?;
            let lines = self.lines_of(&mut write, user, asked).await?;
            let total = self.total_of(&lines)?;
            let can_be_charged = method.as_ref().and_then(Chosen::method).is_some();
            let order = Stored {
                id: self.0.parts.clock.fresh_id(),
                user: user.to_owned(),
                status: OrderStatus::Pending,
                step: if can_be_charged { Step::Assess } else { Step::Pay },
                total,
                address: asked.address.clone(),
                notes: asked.notes.clone(),
                method,
                risk: serde_json::Value::Null,
                payment: None,
                tracking: String::new(),
                reason: String::new(),
                version: 1,
                created_at: now,
                updated_at: now,
                expires_at: now.plus_micros(i64::from(self.0.options.pay_minutes) * 60_000_000),
            };
            let lines: Vec<SoldLine> = lines.into_iter().map(|(_, line)| line).collect();
            self.reserve_for(&mut write, &order, &lines).await?;
            self.enter_order(&mut write, (&order, &lines)).await?;
            if can_be_charged {
                let job = ADVANCE.job(&OfOrder { order: order.id })?;
                self.enqueue_of_order(&mut write, job, order.id, tenant).await?;
            }
            self.0.meters.created();
            write.done(order.shown(&lines, Vec::new())?)
        });
        write.await
    }

    /// A buyer may keep units of a few orders that are not paid.
    async fn check_waiting(&self, write: &mut Write, user: &str) -> Result<(), Fault> {
        let most = i64::from(self.0.options.waiting_orders_max);
        let tenant = write.call.tenant().clone();
        if most > 0 && store::waiting(&mut write.tx, &tenant, user).await? >= most {
            let detail = format!("{most} orders of this buyer wait to be paid: pay or cancel one of them");
            return Err(against_the_rules("BUSINESS_RULE_VIOLATION", detail));
        }
        Ok(())
    }

    /// The lines of an order, priced as the products are now.
    async fn lines_of(
        &self,
        write: &mut Write,
        user: &str,
        asked: &Asked,
    ) -> Result<Vec<(Offer, SoldLine)>, Fault> {
        let tenant = write.call.tenant().clone();
        if asked.items.is_empty() {
            return self.lines_of_cart(write, user).await;
        }
        let ids: Vec<Uuid> = asked.items.iter().map(|item| item.product).collect();
        let offers = carts::offers(&mut write.tx, &tenant, ids).await?;
        let offers: BTreeMap<Uuid, Offer> = offers.into_iter().map(|offer| (offer.product, offer)).collect();
        let mut lines = Vec::with_capacity(asked.items.len());
        for (place, item) in asked.items.iter().enumerate() {
            let field = |name: &str| format!("items[{place}].{name}");
            let offer = offers.get(&item.product).filter(|offer| offer.is_offered).ok_or_else(|| {
                let message = "the product is not offered".to_owned();
                refused("PRODUCT_NOT_AVAILABLE", field("productId"), message)
            })?;
            if let Some(price) = item.price.as_ref().filter(|_| asked.check_prices)
                && Money::read(price, offer.price.currency) != Ok(offer.price)
            {
                let message = format!("the price is {} {}", offer.price.decimal(), offer.price.currency);
                let fault = Fault::conflict("a price has changed").named("PRICE_CHANGED");
                return Err(fault.with_field(field("price"), "changed", message));
            }
            lines.push((offer.clone(), sold(offer, item.quantity)));
        }
        Ok(lines)
    }

    /// The lines of the buyer's cart, which is empty afterwards.
    async fn lines_of_cart(&self, write: &mut Write, user: &str) -> Result<Vec<(Offer, SoldLine)>, Fault> {
        let (tenant, now, buyer) = (write.call.tenant().clone(), self.0.parts.clock.now(), Buyer::user(user));
        let empty = || against_the_rules("CART_EMPTY", "the order names no items, and the cart is empty");
        let cart = carts::lock(&mut write.tx, &tenant, &buyer, now).await?.ok_or_else(empty)?;
        let lines = carts::held_lines(&mut write.tx, &tenant, cart.id).await?;
        if lines.is_empty() {
            return Err(empty());
        }
        if lines.len() > self.0.options.order_lines_max as usize {
            let message = format!("an order has at most {} lines", self.0.options.order_lines_max);
            return Err(refused("ORDER_ITEMS_LIMIT_EXCEEDED", "items", message));
        }
        if let Some(line) = lines.iter().find(|line| !line.offer.is_offered) {
            let message = format!("the product {} is not offered", line.offer.product);
            return Err(refused("PRODUCT_NOT_AVAILABLE", "items", message));
        }
        self.empty(write, cart, now);
        Ok(lines
            .into_iter()
            .map(|line| {
                let sold = sold(&line.offer, line.quantity);
                (line.offer, sold)
            })
            .collect())
    }

    /// The exact price of all lines, which have one currency.
    fn total_of(&self, lines: &[(Offer, SoldLine)]) -> Result<Money, Fault> {
        let currency = lines.first().map_or(self.0.currency, |(offer, _)| offer.price.currency);
        if lines.iter().any(|(offer, _)| offer.price.currency != currency) {
            let message = "all products of an order are sold in one currency".to_owned();
            return Err(refused("BUSINESS_RULE_VIOLATION", "items", message));
        }
        let mut total = Money::new(0, currency);
        let unit = 10_i64.pow(currency.digits());
        let (least, most) = (self.0.options.order_amount_min, self.0.options.order_amount_max);
        let bounds = || {
            let message = format!("the price of an order is from {least} to {most} {currency}");
            refused("ORDER_AMOUNT_INVALID", "items", message)
        };
        for (_, line) in lines {
            total = total.plus(line.total(currency)?).ok_or_else(bounds)?;
        }
        let is_within = (i64::from(least) * unit..=i64::from(most) * unit).contains(&total.minor);
        is_within.then_some(total).ok_or_else(bounds)
    }

    async fn reserve_for(&self, write: &mut Write, order: &Stored, lines: &[SoldLine]) -> Result<(), Fault> {
        let wanted = wanted(order, lines);
        let started = std::time::Instant::now();
        let reserved = self.reserve(write, &wanted).await?;
        self.0.meters.reserved(started.elapsed());
        reserved.map(drop).map_err(|short| Short::fault(&short))
    }

    /// Enqueues a job of an order. A second one waits for the end of the first, so that an order takes one step at a time.
    pub(crate) async fn enqueue_of_order(
        &self,
        write: &mut Write,
        job: Job,
        order: Uuid,
        tenant: &Tenant,
    ) -> Result<(), Fault> {
        // A payment whose outcome is not known is asked about soon at first, and later every five minutes.
        let pauses_ms = Some(vec![1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000]);
        let job = Job {
            unique: Some(Unique::WhileLive(order.to_string())),
            tenant: tenant.clone(),
            attempts_max: 300,
            settings: Settings { pauses_ms, ..job.settings },
            ..job
        };
        self.0.parts.queue.enqueue(&mut write.tx, job).await?;
        Ok(())
    }
}

/// The units that an order wants.
pub(crate) fn wanted(order: &Stored, lines: &[SoldLine]) -> Wanted {
    let lines = lines.iter().map(SoldLine::units).collect();
    Wanted { order: order.id, user: order.user.clone(), lines, seconds: None }
}

fn sold(offer: &Offer, quantity: i64) -> SoldLine {
    SoldLine {
        product: offer.product,
        name: offer.name.clone(),
        price_minor: offer.price.minor,
        quantity,
        image_url: offer.image_url.clone(),
    }
}
