//! Writes the outcome of a payment down, with all that follows from it, in one transaction. It does not matter how often the outcome
//! comes, by which way, or how late.

use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::domain::means::Chosen;
use super::domain::payment::{PaymentStatus, Stored};
use super::provider::domain::outcome::Outcome;
use super::{no_payment, store};
use crate::Commerce;
use crate::domain::events;
use crate::inventory::ReservationStatus;
use crate::inventory::store::reservations;
use crate::orders::create_order::wanted;
use crate::orders::domain::order::Stored as Order;
use crate::orders::domain::status::{OrderStatus, Step};
use crate::orders::store as orders;
use crate::orders::transition::no_order;

impl Commerce {
    /// Settles a payment. One that is settled stays as it is, unless money comes that nobody expected: it goes back.
    pub(crate) async fn settle_charge(&self, call: &Call, id: Uuid, outcome: &Outcome) -> Result<(), Fault> {
        let read = self.0.parts.database.read_primary(call);
        let order_id = store::find(&read, call.tenant(), id).await?.ok_or_else(no_payment)?.order;
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let tenant = call.tenant();
            let order = orders::lock(&mut write.tx, tenant, order_id).await?.ok_or_else(no_order)?;
            let payment = store::lock(&mut write.tx, tenant, id).await?.ok_or_else(no_payment)?;
            match (payment.status, outcome) {
                (PaymentStatus::Pending | PaymentStatus::Failed, Outcome::Captured { .. }) => {
                    self.capture(&mut write, (order, payment), outcome).await?;
                }
                (PaymentStatus::Pending, Outcome::Declined { .. }) => {
                    self.decline(&mut write, (order, payment), outcome).await?;
                }
                (status, Outcome::Declined { .. }) if status.has_money() => {
                    tracing::error!(payment = %id, "the provider says that a payment failed whose money came: it is left as it is");
                }
                _ => {}
            }
            write.done(())
        });
        write.await.map(drop)
    }

    /// The money is here. If the order still wants it, the order is paid and its units have left; if not, the money goes back.
    async fn capture(
        &self,
        write: &mut Write,
        (order, payment): (Order, Stored),
        outcome: &Outcome,
    ) -> Result<(), Fault> {
        let Outcome::Captured { reference, authorization_code } = outcome else { return Ok(()) };
        let tenant = write.call.tenant().clone();
        let is_wanted = payment.status == PaymentStatus::Pending
            && order.status.is_open()
            && order.payment == Some(payment.id);
        let is_sold = is_wanted && self.sell(write, &order).await?;
        let payment = Stored {
            status: PaymentStatus::Captured,
            reference: reference.clone(),
            authorization_code: authorization_code.clone(),
            failure_code: String::new(),
            failure_reason: String::new(),
            stray: !is_sold,
            version: payment.version + 1,
            updated_at: self.0.parts.clock.now(),
            ..payment
        };
        store::update(&mut write.tx, &tenant, &payment);
        let data = json!({
            "paymentId": payment.id, "orderId": payment.order, "userId": payment.user,
            "amount": payment.amount.decimal(), "currency": payment.amount.currency,
            "transactionId": payment.reference, "authorizationCode": payment.authorization_code,
            "paymentMethod": payment.method.told(),
        });
        let (id, version) = (payment.id, payment.version);
        write.created(Change { event: events::PAYMENT_AUTHORIZED, id, version, data });
        if is_sold {
            self.0.meters.processed();
            self.move_to(write, order, (OrderStatus::Confirmed, Step::Done), "it is paid")?;
            return Ok(());
        }
        let why = "the order did not want the money any more";
        if is_wanted {
            self.move_to(
                write,
                order,
                (OrderStatus::Cancelled, Step::Done),
                "its units were sold to others meanwhile",
            )?;
        }
        let rest = payment.refundable();
        self.enter_refund(write, payment, rest, why).await.map(drop)
    }

    /// The units of a locked order leave with it. If their reservation is gone, they are taken from what is there.
    async fn sell(&self, write: &mut Write, order: &Order) -> Result<bool, Fault> {
        let is_sold = |status: Option<ReservationStatus>| status == Some(ReservationStatus::Confirmed);
        let ended = self.end(write, order.id, ReservationStatus::Confirmed).await?;
        if is_sold(ended.map(|reservation| reservation.status)) {
            return Ok(true);
        }
        let tenant = write.call.tenant().clone();
        let lines = orders::lines_of(&mut write.tx, &tenant, order.id).await?;
        if self.reserve_again(write, &wanted(order, &lines)).await?.is_err() {
            return Ok(false);
        }
        let ended = self.end(write, order.id, ReservationStatus::Confirmed).await?;
        Ok(is_sold(ended.map(|reservation| reservation.status)))
    }

    /// No money moved. An order that came with its card is given up; any other waits for another card.
    async fn decline(
        &self,
        write: &mut Write,
        (order, payment): (Order, Stored),
        outcome: &Outcome,
    ) -> Result<(), Fault> {
        let Outcome::Declined { code, message } = outcome else { return Ok(()) };
        let (tenant, now) = (write.call.tenant().clone(), self.0.parts.clock.now());
        let payment = Stored {
            status: PaymentStatus::Failed,
            failure_code: code.as_str().to_owned(),
            failure_reason: message.clone(),
            version: payment.version + 1,
            updated_at: now,
            ..payment
        };
        store::update(&mut write.tx, &tenant, &payment);
        let data = json!({
            "paymentId": payment.id, "orderId": payment.order, "userId": payment.user,
            "amount": payment.amount.decimal(), "currency": payment.amount.currency,
            "failureCode": payment.failure_code, "failureReason": payment.failure_reason,
            "paymentMethod": payment.method.told(),
            "retryable": code.is_retryable(), "suggestedAction": code.suggested_action().as_str(),
        });
        let (id, version) = (payment.id, payment.version);
        write.created(Change { event: events::PAYMENT_FAILED, id, version, data });
        self.0.meters.failed();
        if !order.status.is_open() || order.payment != Some(payment.id) {
            return Ok(());
        }
        if order.method.as_ref().and_then(Chosen::method).is_some() {
            let reason = format!("the payment failed: {}", payment.failure_reason);
            let id = order.id;
            self.move_to(write, order, (OrderStatus::Cancelled, Step::Done), &reason)?;
            self.end(write, id, ReservationStatus::Released).await?;
            return Ok(());
        }
        let seconds = i64::from(self.0.options.reservation_seconds);
        if let Some(kept) = reservations::of_order(&mut write.tx, &tenant, order.id).await? {
            reservations::keep(&mut write.tx, &tenant, kept.id, now.plus_micros(seconds * 1_000_000));
        }
        let order = Order { payment: None, step: Step::Pay, ..order };
        match order.status {
            OrderStatus::PendingPayment => {
                self.move_to(write, order, (OrderStatus::Pending, Step::Pay), "the payment failed")?;
            }
            _ => drop(self.save_order(write, order)),
        }
        Ok(())
    }
}
