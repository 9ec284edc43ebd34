//! Charges in the sandbox.

use pando_service::prelude::*;
use uuid::Uuid;

use super::Sandbox;
use super::chance::{Chances, Fate, Way};
use super::store::{self, Charge};
use super::tell::About;
use crate::payments::provider::domain::order::ChargeOrder;
use crate::payments::provider::domain::outcome::{DeclineCode, Found, Outcome};

impl Sandbox {
    /// Charges a card. The same key has the same outcome, however often it is asked for.
    pub(in crate::payments::provider) async fn charge(&self, call: &Call, order: &ChargeOrder) -> Outcome {
        let fate = Chances::new(&self.0.options, order.key).of_charge(&order.token);
        // A request of `tok_lost` never arrives; one that chance has lost does so at the second try.
        let is_back = fate.way == Way::Lost && order.token.expose() != "tok_lost" && self.was_lost(order.key);
        let fate = if is_back { Fate { way: Way::Answered, ..fate } } else { fate };
        let outcome = match fate.way {
            Way::Unreachable => return Outcome::Unreachable,
            Way::Lost => Outcome::Unknown,
            Way::Answered | Way::AnswerLost => self.book_charge(call, order, &fate).await,
        };
        if self.answers(call, fate.latency).await && fate.way == Way::Answered {
            outcome
        } else {
            Outcome::Unknown
        }
    }

    /// How the charge of a payment ended.
    pub(in crate::payments::provider) async fn find_charge(&self, call: &Call, key: Uuid) -> Found<Outcome> {
        let read = self.0.parts.database.read_primary(call);
        match store::find_charge(&read, call.tenant(), key).await {
            Ok(Some(charge)) => Found::Ended(charge.outcome),
            Ok(None) => Found::NotThere,
            Err(error) => {
                tracing::warn!(%error, payment = %key, "the sandbox did not find out about a charge");
                Found::Unreachable
            }
        }
    }

    async fn book_charge(&self, call: &Call, order: &ChargeOrder, fate: &Fate) -> Outcome {
        if order.amount.minor <= 0 {
            return DeclineCode::BadRequest.declined();
        }
        let (tx, outcome) = match self.write_charge(call, order, fate).await {
            Ok(written) => written,
            Err(fault) => {
                // Nothing was committed.
                tracing::warn!(%fault, payment = %order.key, "the sandbox did not take a charge");
                return Outcome::Unreachable;
            }
        };
        let Some(tx) = tx else { return outcome };
        match tx.commit().await {
            Ok(_) => outcome,
            Err(error) => {
                tracing::warn!(%error, payment = %order.key, "it is unknown whether the sandbox took a charge");
                Outcome::Unknown
            }
        }
    }

    /// Writes a charge that is new, and says how one that was there ended.
    async fn write_charge(
        &self,
        call: &Call,
        order: &ChargeOrder,
        fate: &Fate,
    ) -> Result<(Option<Transaction>, Outcome), Fault> {
        let parts = &self.0.parts;
        let reference = format!("ch_{}", order.key.simple());
        let outcome = match fate.declined {
            Some(code) => code.declined(),
            None => Outcome::Captured {
                reference: reference.clone(),
                authorization_code: Chances::new(&self.0.options, order.key).authorization_code(),
            },
        };
        let charge = Charge { order: order.clone(), reference, outcome };
        let mut tx = parts.database.transaction(call).await?;
        if store::insert_charge(&mut tx, call.tenant(), &charge, parts.clock.now()).await? {
            self.tell_later(&mut tx, call, (About::Charge, order.key)).await?;
            return Ok((Some(tx), charge.outcome));
        }
        let earlier = store::charge(&mut tx, call.tenant(), order.key).await?;
        tx.rollback().await?;
        Ok((
            None,
            match earlier {
                Some(earlier) if earlier.order.amount == order.amount => earlier.outcome,
                Some(_) => DeclineCode::BadRequest.declined(),
                None => Outcome::Unknown,
            },
        ))
    }
}
