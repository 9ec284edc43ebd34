//! Asks the provider for the money of a payment that has begun, or, if that was tried before, what became of it.

use std::time::Instant;

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::payment::{PaymentStatus, Stored};
use super::provider::domain::order::ChargeOrder;
use super::provider::domain::outcome::{DeclineCode, Found, Outcome};
use super::{no_payment, store};
use crate::Commerce;
use crate::orders::domain::status::{OrderStatus, Step};
use crate::orders::store as orders;

/// After a day, a payment that the provider does not know has failed.
const HOPELESS_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// How far a payment or a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Its outcome is known, and stored.
    Ended,
    /// Why nobody knows yet.
    Waiting(&'static str),
}

impl Commerce {
    /// Completes a payment. No transaction is open while the provider is asked. A fresh one was never tried; of any other the provider
    /// is asked first whether it knows the payment, because a charge whose answer was lost may have happened.
    pub(crate) async fn complete_charge(
        &self,
        call: &Call,
        id: Uuid,
        is_fresh: bool,
    ) -> Result<Progress, Fault> {
        let read = self.0.parts.database.read_primary(call);
        let payment = store::find(&read, call.tenant(), id).await?.ok_or_else(no_payment)?;
        if payment.status != PaymentStatus::Pending {
            return Ok(Progress::Ended);
        }
        let started = Instant::now();
        let outcome = match is_fresh {
            true => self.charge(call, &payment).await,
            false => match self.0.provider.find_charge(call, id).await {
                Found::Ended(outcome) => outcome,
                Found::NotThere if self.is_hopeless(&payment) => DeclineCode::ProcessorError.declined(),
                Found::NotThere => self.charge(call, &payment).await,
                Found::Pending => Outcome::Unknown,
                Found::Unreachable => Outcome::Unreachable,
            },
        };
        self.0.meters.charged(started.elapsed());
        let why = match outcome {
            Outcome::Unknown => "the provider of payments has not said yet whether the money moved",
            Outcome::Unreachable => "the provider of payments cannot be reached",
            outcome => {
                self.settle_charge(call, id, &outcome).await?;
                return Ok(Progress::Ended);
            }
        };
        tracing::warn!(payment = %id, order = %payment.order, why, "a payment waits");
        self.mark_waiting(call, &payment, why).await?;
        Ok(Progress::Waiting(why))
    }

    /// A provider that has not heard of a payment after so long will not. If its money comes all the same, it goes back.
    fn is_hopeless(&self, payment: &Stored) -> bool {
        payment.created_at.plus_micros(HOPELESS_MICROS) <= self.0.parts.clock.now()
    }

    async fn charge(&self, call: &Call, payment: &Stored) -> Outcome {
        let token = payment.method.token.clone();
        let order = ChargeOrder { key: payment.id, order: payment.order, amount: payment.amount, token };
        self.0.provider.charge(call, &order).await
    }

    /// Shows in the order that its payment has no outcome yet.
    async fn mark_waiting(&self, call: &Call, payment: &Stored, why: &str) -> Result<(), Fault> {
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let order = orders::lock(&mut write.tx, call.tenant(), payment.order).await?;
            let now = store::lock(&mut write.tx, call.tenant(), payment.id).await?;
            let (Some(order), Some(now)) = (order, now) else { return write.done(()) };
            if now.status == PaymentStatus::Pending {
                let now = Stored { updated_at: self.0.parts.clock.now(), ..now };
                store::update(&mut write.tx, call.tenant(), &now);
                if order.status == OrderStatus::Pending {
                    self.move_to(&mut write, order, (OrderStatus::PendingPayment, Step::Charge), why)?;
                }
            }
            write.done(())
        });
        write.await.map(drop)
    }
}
