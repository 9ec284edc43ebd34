//! Charges over HTTP.

use pando_service::prelude::*;
use uuid::Uuid;

use super::HttpProvider;
use super::line::{Answer, NoAnswer};
use crate::payments::provider::domain::order::ChargeOrder;
use crate::payments::provider::domain::outcome::{DeclineCode, Found, Outcome};
use crate::payments::provider::domain::wire;

const PATH: &str = "/v1/payment_intents";

impl HttpProvider {
    /// Charges a card.
    pub(in crate::payments::provider) async fn charge(&self, call: &Call, order: &ChargeOrder) -> Outcome {
        let key = Some(format!("pando-charge-{}", order.key));
        match self.0.line.post(call, (PATH, key), &wire::charge_request(order)).await {
            Ok(answer) => outcome(&answer, order),
            Err(NoAnswer::Unknown) => Outcome::Unknown,
            Err(NoAnswer::Unreachable | NoAnswer::BreakerOpen { .. }) => Outcome::Unreachable,
        }
    }

    /// How the charge of a payment ended.
    pub(in crate::payments::provider) async fn find_charge(&self, call: &Call, key: Uuid) -> Found<Outcome> {
        let read = |thing: &serde_json::Value| {
            let told = wire::read_charge(thing)?;
            let found = match told.outcome {
                Outcome::Unknown | Outcome::Unreachable => Found::Pending,
                ended => Found::Ended(ended),
            };
            Some((told.key, found))
        };
        let moved = |outcome: &Outcome| matches!(outcome, Outcome::Captured { .. });
        self.find(call, (PATH, key), (read, moved)).await
    }
}

fn outcome(answer: &Answer, order: &ChargeOrder) -> Outcome {
    if answer.status.is_success() {
        return captured(answer, order);
    }
    if answer.is_refusal() {
        let error = answer.error().cloned().unwrap_or_default();
        return match wire::declined(&error) {
            // Nobody asked a bank.
            Outcome::Declined { code: DeclineCode::CardDeclined, message }
                if answer.status != http::StatusCode::PAYMENT_REQUIRED =>
            {
                Outcome::Declined { code: DeclineCode::BadRequest, message }
            }
            declined => declined,
        };
    }
    let did_nothing = answer.did_nothing();
    tracing::error!(
        status = answer.status.as_u16(),
        payment = %order.key,
        did_nothing,
        "the payment provider gave no usable answer"
    );
    if did_nothing { Outcome::Unreachable } else { Outcome::Unknown }
}

/// An answer about another amount is not believed.
fn captured(answer: &Answer, order: &ChargeOrder) -> Outcome {
    let wanted = (order.amount.minor, order.amount.currency.code().to_owned());
    match wire::read_charge(&answer.body) {
        Some(told) if told.amount.as_ref().is_none_or(|amount| *amount == wanted) => told.outcome,
        _ => {
            tracing::error!(payment = %order.key, "the answer of the payment provider does not fit the payment");
            Outcome::Unknown
        }
    }
}
