//! The one way in which an order changes: its state, its history and its event in one transaction.

use pando_service::prelude::*;
use serde_json::json;

use super::domain::order::{SoldLine, Stored};
use super::domain::status::{OrderStatus, Step};
use super::store::{self, Recorded};
use crate::Commerce;
use crate::domain::events;
use crate::domain::faults::against_the_rules;

impl Commerce {
    /// Adds a new order to the books, with its first state and its event.
    pub(crate) async fn enter_order(
        &self,
        write: &mut Write,
        (order, lines): (&Stored, &[SoldLine]),
    ) -> Result<(), Fault> {
        let (tenant, actor) = (write.call.tenant().clone(), write.call.actor().to_owned());
        store::insert(&mut write.tx, &tenant, (order, lines)).await?;
        let step = Recorded { from: None, reason: "the order was placed", actor: &actor };
        store::record(&mut write.tx, &tenant, order, &step);
        let item = |line: &SoldLine| {
            let price = crate::Money::new(line.price_minor, order.total.currency).decimal();
            json!({"productId": line.product, "productName": line.name, "price": price, "quantity": line.quantity})
        };
        let items: Vec<_> = lines.iter().map(item).collect();
        let data = json!({
            "orderId": order.id, "userId": order.user, "items": items,
            "totalAmount": order.total.decimal(), "currency": order.total.currency,
        });
        write.created(Change { event: events::ORDER_CREATED, id: order.id, version: order.version, data });
        Ok(())
    }

    /// Moves a locked order into another state; the order since. A step that the rules do not know is a conflict.
    pub(crate) fn move_to(
        &self,
        write: &mut Write,
        order: Stored,
        (status, step): (OrderStatus, Step),
        reason: &str,
    ) -> Result<Stored, Fault> {
        let from = order.status;
        if !from.can_become(status) {
            let detail = format!("an order that is {} cannot become {}", from.as_str(), status.as_str());
            return Err(Fault::conflict(detail).named("BUSINESS_RULE_VIOLATION"));
        }
        let (tenant, actor) = (write.call.tenant().clone(), write.call.actor().to_owned());
        let now = self.0.parts.clock.now();
        let is_end = matches!(status, OrderStatus::Cancelled);
        let reason_kept = if is_end { reason.to_owned() } else { order.reason.clone() };
        let next = Stored {
            status,
            step,
            reason: reason_kept,
            version: order.version + 1,
            updated_at: now,
            ..order
        };
        store::update(&mut write.tx, &tenant, &next);
        store::record(&mut write.tx, &tenant, &next, &Recorded { from: Some(from), reason, actor: &actor });
        self.0.meters.moved(status);
        self.tell(write, &next, reason);
        Ok(next)
    }

    /// Writes what changed of a locked order that stays in its state.
    pub(crate) fn save_order(&self, write: &mut Write, order: Stored) -> Stored {
        let tenant = write.call.tenant().clone();
        let next = Stored { updated_at: self.0.parts.clock.now(), ..order };
        store::update(&mut write.tx, &tenant, &next);
        next
    }

    /// The event of a state.
    fn tell(&self, write: &mut Write, order: &Stored, reason: &str) {
        let (id, version) = (order.id, order.version);
        let (event, data) = match order.status {
            OrderStatus::Confirmed => {
                let paid =
                    json!({"orderId": id, "paymentId": order.payment, "confirmedAt": order.updated_at});
                (events::ORDER_CONFIRMED, paid)
            }
            OrderStatus::Cancelled => {
                (events::ORDER_CANCELLED, json!({"orderId": id, "userId": order.user, "reason": reason}))
            }
            status => (events::ORDER_STATUS_CHANGED, json!({"orderId": id, "status": status.as_str()})),
        };
        write.created(Change { event, id, version, data });
    }
}

/// There is no order with this id, or it is not the caller's.
pub(crate) fn no_order() -> Fault {
    Fault::not_found("order")
}

/// An order cannot be placed for this reason.
pub(crate) fn refused(
    name: &'static str,
    field: impl Into<std::borrow::Cow<'static, str>>,
    message: String,
) -> Fault {
    against_the_rules(name, message.clone()).with_field(field, "value", message)
}
