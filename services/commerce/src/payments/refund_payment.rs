//! Sends money back: a part of a payment, or all of it. Refunds never add up to more than the payment.

use pando_queue::{JobContext, JobError, JobType};
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::complete_charge::Progress;
use super::domain::payment::{PaymentStatus, RefundStatus, Stored, StoredRefund};
use super::domain::refund::RefundAsked;
use super::provider::domain::order::RefundOrder;
use super::provider::domain::outcome::{Found, RefundOutcome};
use super::store::{self, refunds};
use super::{no_payment, no_refund};
use crate::Commerce;
use crate::domain::events;
use crate::domain::faults::against_the_rules;
use crate::domain::money::Money;
use crate::orders::domain::status::{OrderStatus, Step};
use crate::orders::store as orders;
use crate::orders::transition::no_order;

/// The job.
pub(crate) const REFUND: JobType<OfRefund> = JobType::new("payment_refund").within_ms(60_000);

/// The refund that a job is about.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OfRefund {
    pub(crate) refund: Uuid,
}

impl Commerce {
    /// Sends money of a payment back; the refund, which a job takes to the provider.
    pub(crate) async fn refund_payment(
        &self,
        call: &Call,
        id: Uuid,
        asked: &RefundAsked,
    ) -> Result<Written<Uuid>, Fault> {
        let read = self.0.parts.database.read_primary(call);
        let order = store::find(&read, call.tenant(), id).await?.ok_or_else(no_payment)?.order;
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let tenant = call.tenant();
            orders::lock(&mut write.tx, tenant, order).await?.ok_or_else(no_order)?;
            let payment = store::lock(&mut write.tx, tenant, id).await?.ok_or_else(no_payment)?;
            let amount = asked.amount(payment.amount.currency)?.unwrap_or_else(|| payment.refundable());
            if !payment.status.has_money() {
                let detail = "only a payment whose money came can be sent back";
                return Err(Fault::conflict(detail).named("BUSINESS_RULE_VIOLATION"));
            }
            let rest = payment.refundable();
            if amount.minor > rest.minor || rest.minor == 0 {
                let message = format!("at most {} {} can be sent back", rest.decimal(), rest.currency);
                return Err(against_the_rules("PAYMENT_AMOUNT_INVALID", message.clone()).with_field(
                    "amount",
                    "too_large",
                    message,
                ));
            }
            let refund = self.enter_refund(&mut write, payment, amount, &asked.reason).await?;
            write.done(refund.id)
        });
        write.await
    }

    /// Adds a refund of a locked payment, and the job that takes it to the provider.
    pub(crate) async fn enter_refund(
        &self,
        write: &mut Write,
        payment: Stored,
        amount: Money,
        reason: &str,
    ) -> Result<StoredRefund, Fault> {
        let (tenant, now) = (write.call.tenant().clone(), self.0.parts.clock.now());
        let actor = write.call.actor().to_owned();
        let refund = StoredRefund {
            id: self.0.parts.clock.fresh_id(),
            payment: payment.id,
            amount,
            status: RefundStatus::Pending,
            reason: reason.to_owned(),
            reference: String::new(),
            failure_reason: String::new(),
            created_at: now,
            updated_at: now,
        };
        refunds::insert(&mut write.tx, (&tenant, &actor), &refund);
        let refunded_minor = payment.refunded_minor + amount.minor;
        let payment = Stored { refunded_minor, version: payment.version + 1, updated_at: now, ..payment };
        store::update(&mut write.tx, &tenant, &payment);
        let data = json!({"amount": amount.decimal(), "refund": refund.id});
        write.acted(Change { event: "payment_refund_asked", id: payment.id, version: payment.version, data });
        let job = REFUND.job(&OfRefund { refund: refund.id })?;
        self.enqueue_of_order(write, job, refund.id, &tenant).await?;
        Ok(refund)
    }

    /// The job. While the outcome is not known, it comes again.
    pub(crate) async fn run_refund(self, context: JobContext, of: OfRefund) -> Result<(), JobError> {
        let is_fresh = context.attempt() == 1;
        match self.complete_refund(context.call(), of.refund, is_fresh).await? {
            Progress::Ended => Ok(()),
            Progress::Waiting(why) => Err(JobError::retry(why)),
        }
    }

    /// Completes a refund. No transaction is open while the provider is asked.
    pub(crate) async fn complete_refund(
        &self,
        call: &Call,
        id: Uuid,
        is_fresh: bool,
    ) -> Result<Progress, Fault> {
        let read = self.0.parts.database.read_primary(call);
        let refund = refunds::find(&read, call.tenant(), id).await?.ok_or_else(no_refund)?;
        if refund.status != RefundStatus::Pending {
            return Ok(Progress::Ended);
        }
        let payment = store::find(&read, call.tenant(), refund.payment).await?.ok_or_else(no_payment)?;
        let order = RefundOrder { key: id, reference: payment.reference.clone(), amount: refund.amount };
        let outcome = match is_fresh {
            true => self.0.provider.refund(call, &order).await,
            false => match self.0.provider.find_refund(call, id).await {
                Found::Ended(outcome) => outcome,
                Found::NotThere => self.0.provider.refund(call, &order).await,
                Found::Pending => RefundOutcome::Unknown,
                Found::Unreachable => RefundOutcome::Unreachable,
            },
        };
        match outcome {
            RefundOutcome::Unknown => {
                Ok(Progress::Waiting("the provider of payments has not said yet whether the money went back"))
            }
            RefundOutcome::Unreachable => Ok(Progress::Waiting("the provider of payments cannot be reached")),
            outcome => {
                self.settle_refund(call, id, &outcome).await?;
                Ok(Progress::Ended)
            }
        }
    }

    /// Writes the outcome of a refund down. One that is settled stays as it is.
    pub(crate) async fn settle_refund(
        &self,
        call: &Call,
        id: Uuid,
        outcome: &RefundOutcome,
    ) -> Result<(), Fault> {
        let read = self.0.parts.database.read_primary(call);
        let refund = refunds::find(&read, call.tenant(), id).await?.ok_or_else(no_refund)?;
        let payment = store::find(&read, call.tenant(), refund.payment).await?.ok_or_else(no_payment)?;
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let tenant = call.tenant();
            let order = orders::lock(&mut write.tx, tenant, payment.order).await?.ok_or_else(no_order)?;
            let payment = store::lock(&mut write.tx, tenant, payment.id).await?.ok_or_else(no_payment)?;
            let refund = refunds::held(&mut write.tx, tenant, id).await?.ok_or_else(no_refund)?;
            if refund.status != RefundStatus::Pending {
                return write.done(());
            }
            let payment = match outcome {
                RefundOutcome::Refunded { reference } => {
                    self.refunded(&mut write, (payment, refund), reference).await?
                }
                RefundOutcome::Refused { message } => self.refused(&mut write, (payment, refund), message),
                _ => return write.done(()),
            };
            let is_back = payment.status == PaymentStatus::Refunded;
            if is_back && order.status == OrderStatus::Cancelled && order.payment == Some(payment.id) {
                self.move_to(&mut write, order, (OrderStatus::Refunded, Step::Done), "the money is back")?;
            }
            write.done(())
        });
        write.await.map(drop)
    }

    async fn refunded(
        &self,
        write: &mut Write,
        (payment, refund): (Stored, StoredRefund),
        reference: &str,
    ) -> Result<Stored, Fault> {
        let (tenant, now) = (write.call.tenant().clone(), self.0.parts.clock.now());
        let completed = refunds::completed_minor(&mut write.tx, &tenant, payment.id).await?;
        let is_all = completed + refund.amount.minor == payment.amount.minor;
        let status = if is_all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
        let (reference, updated_at) = (reference.to_owned(), now);
        let refund = StoredRefund { status: RefundStatus::Completed, reference, updated_at, ..refund };
        refunds::settle(&mut write.tx, &tenant, &refund);
        let payment = Stored { status, version: payment.version + 1, updated_at: now, ..payment };
        store::update(&mut write.tx, &tenant, &payment);
        let data = json!({
            "paymentId": payment.id, "orderId": payment.order, "refundId": refund.id,
            "amount": refund.amount.decimal(), "currency": refund.amount.currency, "status": payment.status,
        });
        let (id, version) = (payment.id, payment.version);
        write.created(Change { event: events::PAYMENT_REFUNDED, id, version, data });
        Ok(payment)
    }

    /// The money stays here, and can be sent back another time.
    fn refused(&self, write: &mut Write, (payment, refund): (Stored, StoredRefund), message: &str) -> Stored {
        let (tenant, now) = (write.call.tenant().clone(), self.0.parts.clock.now());
        tracing::error!(refund = %refund.id, payment = %payment.id, message, "the provider refused a refund: a person has to look at it");
        let amount = refund.amount.minor;
        let (failure_reason, updated_at) = (message.to_owned(), now);
        let refund = StoredRefund { status: RefundStatus::Failed, failure_reason, updated_at, ..refund };
        refunds::settle(&mut write.tx, &tenant, &refund);
        let refunded_minor = payment.refunded_minor - amount;
        let payment = Stored { refunded_minor, version: payment.version + 1, updated_at: now, ..payment };
        store::update(&mut write.tx, &tenant, &payment);
        let data = json!({"refund": refund.id});
        write.acted(Change {
            event: "payment_refund_refused",
            id: payment.id,
            version: payment.version,
            data,
        });
        payment
    }
}
