//! Refunds in the sandbox.

use pando_service::prelude::*;
use uuid::Uuid;

use super::Sandbox;
use super::chance::{Chances, Way};
use super::store::{self, Charge, Refund};
use super::tell::About;
use crate::payments::provider::domain::order::RefundOrder;
use crate::payments::provider::domain::outcome::{Found, Outcome, RefundOutcome};

/// A refund in the ledger: its transaction if it is new, its outcome, and the fate of the answer.
type Booked = (Option<Transaction>, RefundOutcome, Way);

impl Sandbox {
    /// Gives money back, up to the amount of the charge. The same key has the same outcome, however often it is asked for.
    pub(in crate::payments::provider) async fn refund(
        &self,
        call: &Call,
        order: &RefundOrder,
    ) -> RefundOutcome {
        let (outcome, way) = match self.write_refund(call, order).await {
            Ok((tx, outcome, way)) => (self.settled(order, tx, outcome).await, way),
            Err(fault) => {
                // Nothing was committed.
                tracing::warn!(%fault, refund = %order.key, "the sandbox did not take a refund");
                return RefundOutcome::Unreachable;
            }
        };
        let latency = std::time::Duration::from_millis(self.0.options.latency_ms);
        if self.answers(call, latency).await && way == Way::Answered {
            outcome
        } else {
            RefundOutcome::Unknown
        }
    }

    /// How a refund ended.
    pub(in crate::payments::provider) async fn find_refund(
        &self,
        call: &Call,
        key: Uuid,
    ) -> Found<RefundOutcome> {
        let read = self.0.parts.database.read_primary(call);
        match store::find_refund(&read, call.tenant(), key).await {
            Ok(Some(refund)) => Found::Ended(RefundOutcome::Refunded { reference: refund.reference }),
            Ok(None) => Found::NotThere,
            Err(error) => {
                tracing::warn!(%error, refund = %key, "the sandbox did not find out about a refund");
                Found::Unreachable
            }
        }
    }

    async fn settled(
        &self,
        order: &RefundOrder,
        tx: Option<Transaction>,
        outcome: RefundOutcome,
    ) -> RefundOutcome {
        let Some(tx) = tx else { return outcome };
        match tx.commit().await {
            Ok(_) => outcome,
            Err(error) => {
                tracing::warn!(%error, refund = %order.key, "it is unknown whether the sandbox took a refund");
                RefundOutcome::Unknown
            }
        }
    }

    /// Writes a refund that is new, and says how one that was there ended. A refund that is refused is not in the ledger.
    async fn write_refund(&self, call: &Call, order: &RefundOrder) -> Result<Booked, Fault> {
        let parts = &self.0.parts;
        let refused = |message: &str| RefundOutcome::Refused { message: message.to_owned() };
        let mut tx = parts.database.transaction(call).await?;
        let charge = store::lock_charge(&mut tx, call.tenant(), &order.reference).await?;
        let Some(charge) = charge.filter(|charge| matches!(charge.outcome, Outcome::Captured { .. })) else {
            tx.rollback().await?;
            return Ok((None, refused("there is no such charge"), Way::Answered));
        };
        let mut way = Chances::new(&self.0.options, order.key).of_refund(charge.order.token.expose());
        if way == Way::Lost && !self.was_lost(order.key) {
            tx.rollback().await?;
            return Ok((None, RefundOutcome::Unknown, way));
        }
        if way == Way::Lost {
            way = Way::Answered;
        }
        if let Some(earlier) = store::refund(&mut tx, call.tenant(), order.key).await? {
            tx.rollback().await?;
            let is_same = earlier.charge == charge.order.key && earlier.amount == order.amount;
            let outcome = match is_same {
                true => RefundOutcome::Refunded { reference: earlier.reference },
                false => refused("the key belongs to another refund"),
            };
            return Ok((None, outcome, way));
        }
        let refunded = store::refunded(&mut tx, call.tenant(), charge.order.key).await?;
        if let Some(reason) = refusal(&charge, order, refunded) {
            tx.rollback().await?;
            return Ok((None, refused(reason), way));
        }
        let refund = Refund {
            key: order.key,
            charge: charge.order.key,
            amount: order.amount,
            reference: format!("re_{}", order.key.simple()),
        };
        store::insert_refund(&mut tx, call.tenant(), &refund, parts.clock.now()).await?;
        self.tell_later(&mut tx, call, (About::Refund, order.key)).await?;
        Ok((Some(tx), RefundOutcome::Refunded { reference: refund.reference }, way))
    }
}

/// Why the sandbox refuses a refund of a charge of which so much was given back already.
fn refusal(charge: &Charge, order: &RefundOrder, refunded: i64) -> Option<&'static str> {
    let left = charge.order.amount.minor - refunded;
    match () {
        () if charge.order.token.expose() == "tok_refund_refused" => {
            Some("the bank of the card takes no refunds")
        }
        () if order.amount.currency != charge.order.amount.currency => {
            Some("the charge has another currency")
        }
        () if order.amount.minor <= 0 => Some("the amount must be above 0"),
        () if order.amount.minor > left => Some("the refunds would be more than the charge"),
        () => None,
    }
}
