//! Gives an order up: its units can be sold again, and money that was paid goes back.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::order::{Order, SoldLine, Stored};
use super::domain::status::{OrderStatus, Step};
use super::get_order::check_owner;
use super::store;
use super::transition::no_order;
use crate::Commerce;
use crate::inventory::ReservationStatus;
use crate::inventory::ledger::{self, Cause, Kind};
use crate::payments::domain::payment::PaymentStatus;
use crate::payments::store as payments;

/// When to ask again about a payment that is on its way, in seconds.
const SOON: u64 = 5;

impl Commerce {
    /// Cancels an order of the caller. One that was cancelled already stays as it is.
    pub async fn cancel_order(&self, call: &Call, id: Uuid, reason: &str) -> Result<Written<Order>, Fault> {
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let order = store::lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_order)?;
            check_owner(call, &order)?;
            let lines = store::lines_of(&mut write.tx, call.tenant(), id).await?;
            let order = match order.status {
                OrderStatus::Cancelled | OrderStatus::Refunded => order,
                OrderStatus::Confirmed => self.take_back(&mut write, order, &lines, reason).await?,
                _ => self.give_up(&mut write, order, reason).await?,
            };
            write.done(order.shown(&lines, Vec::new())?)
        });
        write.await
    }

    /// Gives up a locked order that is not paid.
    pub(crate) async fn give_up(
        &self,
        write: &mut Write,
        order: Stored,
        reason: &str,
    ) -> Result<Stored, Fault> {
        if self.is_being_paid(write, &order).await? {
            let detail = "a payment of this order is on its way: its outcome has to be known before the order is cancelled";
            return Err(Fault::conflict(detail).named("BUSINESS_RULE_VIOLATION").with_retry_after(SOON));
        }
        // The step is checked first: an order that is packed keeps its units.
        let id = order.id;
        let next = self.move_to(write, order, (OrderStatus::Cancelled, Step::Done), reason)?;
        self.end(write, id, ReservationStatus::Released).await?;
        Ok(next)
    }

    /// Whether a payment of a locked order has no outcome yet.
    pub(crate) async fn is_being_paid(&self, write: &mut Write, order: &Stored) -> Result<bool, Fault> {
        let Some(payment) = order.payment else { return Ok(false) };
        let tenant = write.call.tenant().clone();
        let payment = payments::lock(&mut write.tx, &tenant, payment).await?;
        Ok(payment.is_some_and(|payment| payment.status == PaymentStatus::Pending))
    }

    /// Gives up a locked order that is paid and has not left: its units come back, and so does the money.
    async fn take_back(
        &self,
        write: &mut Write,
        order: Stored,
        lines: &[SoldLine],
        reason: &str,
    ) -> Result<Stored, Fault> {
        let tenant = write.call.tenant().clone();
        let payment = order.payment;
        let order = self.move_to(write, order, (OrderStatus::Cancelled, Step::Done), reason)?;
        // A payment is locked before the stock, in every transaction.
        let payment = match payment {
            Some(id) => payments::lock(&mut write.tx, &tenant, id).await?,
            None => None,
        };
        let units: Vec<_> = lines.iter().map(SoldLine::units).collect();
        let cause = Cause { id: Some(order.id), reason: "the order was cancelled".to_owned() };
        let moved = ledger::move_units(write, &self.0.parts.clock, Kind::Return, (&units, &cause)).await?;
        moved.map_err(|_| Fault::internal("units that come back cannot be short"))?;
        if let Some(payment) = payment {
            let rest = payment.refundable();
            if rest.minor > 0 {
                self.enter_refund(write, payment, rest, reason).await?;
            } else if payment.status == PaymentStatus::Refunded {
                return self.move_to(write, order, (OrderStatus::Refunded, Step::Done), "the money is back");
            }
        }
        Ok(order)
    }
}
