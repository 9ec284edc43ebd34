//! The one way in which the numbers of units change: the stock is locked, changed, and each change is added to the ledger.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

pub(crate) use super::domain::kind::Kind;
use super::domain::reservation::Line;
use super::store::{self, Movement, Stock};
use crate::domain::events;
use crate::domain::faults::{against_the_rules, no_product};

/// The name of the fault that a product gets which nobody can buy.
pub(crate) const NOT_OFFERED: &str = "PRODUCT_NOT_AVAILABLE";

/// The reason of movements: the reservation or order that causes them, and a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    pub(crate) id: Option<Uuid>,
    pub(crate) reason: String,
}

/// A product of which there are not enough units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) product: Uuid,
    pub(crate) wanted: i64,
    pub(crate) available: i64,
}

impl Short {
    /// Why an order cannot have so many.
    pub(crate) fn fault(all: &[Self]) -> Fault {
        let mut fault = against_the_rules("INSUFFICIENT_STOCK", "there are not enough units");
        for Self { product, wanted, available } in all {
            let message = format!("{wanted} are wanted, and {available} are available");
            fault = fault.with_field(product.to_string(), "insufficient_stock", message);
        }
        fault
    }
}

/// Moves units of several products, all or none. If there are not enough of some, nothing is changed, and they are named.
pub(crate) async fn move_units(
    write: &mut Write,
    clock: &pando_clock::Clock,
    kind: Kind,
    (lines, cause): (&[Line], &Cause),
) -> Result<Result<Vec<Stock>, Vec<Short>>, Fault> {
    // Two lines of one product are one movement.
    let mut wanted: BTreeMap<Uuid, i64> = BTreeMap::new();
    for one in lines {
        let sum = wanted.entry(one.product).or_default();
        *sum = sum.saturating_add(one.quantity);
    }
    let tenant = write.call.tenant().clone();
    let locked = store::lock(&mut write.tx, &tenant, wanted.keys().copied().collect()).await?;
    if locked.len() < wanted.len() {
        return Err(no_product());
    }
    if kind == Kind::Reservation {
        check_offered(write, &tenant, wanted.keys().copied().collect()).await?;
    }
    let now = clock.now();
    let (mut movements, mut short) = (Vec::with_capacity(locked.len()), Vec::new());
    for before in locked {
        let quantity = wanted.get(&before.product).copied().unwrap_or_default();
        let (available, reserved) = kind.change(quantity);
        let after = Stock {
            available: before.available.saturating_add(available),
            reserved: before.reserved.saturating_add(reserved),
            version: before.version + 1,
            ..before
        };
        if after.available < 0 || after.reserved < 0 {
            short.push(Short { product: before.product, wanted: quantity, available: before.available });
            continue;
        }
        let (id, reason) = (clock.fresh_id(), cause.reason.clone());
        movements.push(Movement { id, kind: kind.name(), quantity, before, after, cause: cause.id, reason });
    }
    if !short.is_empty() {
        return Ok(Err(short));
    }
    let stock: Vec<Stock> = movements.iter().map(|movement| movement.after).collect();
    store::update(&mut write.tx, &tenant, &stock, now).await?;
    settle(write, &movements, now).await?;
    Ok(Ok(stock))
}

/// Whether all these products can be bought. Their stock is locked, so they stay as they are.
async fn check_offered(write: &mut Write, tenant: &Tenant, products: Vec<Uuid>) -> Result<(), Fault> {
    let offered = store::offered(&mut write.tx, tenant, products.clone()).await?;
    let missing: Vec<Uuid> = products.into_iter().filter(|id| !offered.contains(id)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let fault = against_the_rules(NOT_OFFERED, "a product is not offered");
    let message = "the product is not offered";
    Err(missing
        .into_iter()
        .fold(fault, |fault, id| fault.with_field(id.to_string(), "not_available", message)))
}

/// Adds the first movement of a new product to the ledger. The event of the product says all that has to be said.
pub(crate) async fn record_first(
    write: &mut Write,
    movement: &Movement,
    now: Timestamp,
) -> Result<(), Fault> {
    let (tenant, actor) = (write.call.tenant().clone(), write.call.actor().to_owned());
    Ok(store::record(&mut write.tx, (&tenant, &actor), std::slice::from_ref(movement), now).await?)
}

/// Adds movements whose stock is written to the ledger, and tells everybody who has to know.
pub(crate) async fn settle(write: &mut Write, movements: &[Movement], now: Timestamp) -> Result<(), Fault> {
    let (tenant, actor) = (write.call.tenant().clone(), write.call.actor().to_owned());
    for Movement { before, after, kind, .. } in movements {
        let is_in_stock = after.available > 0;
        if is_in_stock != (before.available > 0) {
            store::set_in_stock(&mut write.tx, &tenant, after.product, is_in_stock);
        }
        let data = json!({"available": after.available, "reserved": after.reserved, "kind": kind});
        let (id, version) = (after.product, after.version);
        write.changed(Change { event: events::STOCK_CHANGED, id, version, data });
        tell_low_stock(write, before, after);
    }
    store::record(&mut write.tx, (&tenant, &actor), movements, now).await?;
    Ok(())
}

/// Says that few units are left, if that was not so before.
pub(crate) fn tell_low_stock(write: &mut Write, before: &Stock, after: &Stock) {
    let (id, version) = (after.product, after.version);
    if after.available <= after.reorder_point && before.available > before.reorder_point {
        let data =
            json!({"productId": id, "available": after.available, "reorderPoint": after.reorder_point});
        write.created(Change { event: events::LOW_STOCK, id, version, data });
    }
}
