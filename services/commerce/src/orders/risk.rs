//! The question whether an order may be sold to its buyer. The shop asks it; somebody else answers.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::domain::address::part;
use super::domain::order::Stored;
use crate::Commerce;
use crate::payments::domain::means::Chosen;

/// Answers the question. An error means that nobody could be asked.
pub type RiskCheck =
    Arc<dyn Fn(Call, RiskQuestion) -> BoxFuture<'static, Result<RiskAnswer, Fault>> + Send + Sync>;

/// An order, as far as a check of its buyer has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskQuestion {
    /// The order.
    pub order: Uuid,
    /// The buyer.
    pub user: String,
    /// The names that the buyer gave: of the recipient, and on the card.
    pub names: Vec<String>,
    /// The country of the address, as the buyer wrote it; empty if the address is a text.
    pub country: String,
}

/// The verdict about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RiskDecision {
    /// Sell.
    Approve,
    /// Sell, and let a person look at it.
    Review,
    /// Do not sell.
    Decline,
}

/// The verdict, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskAnswer {
    /// The verdict.
    pub decision: RiskDecision,
    /// Why, in words; empty if there is nothing to say.
    pub reason: String,
}

impl Commerce {
    /// Asks about an order. If nobody can be asked, the order goes on, marked for a person to look at.
    pub(crate) async fn risk_of(&self, call: &Call, order: &Stored) -> Verdict {
        let Some(check) = &self.0.risk else {
            let answer = RiskAnswer { decision: RiskDecision::Approve, reason: String::new() };
            return Verdict { answer, is_fallback: false };
        };
        let holder =
            order.method.as_ref().and_then(Chosen::method).and_then(|method| method.cardholder_name.clone());
        let recipient = part(&order.address, "recipient").map(str::to_owned);
        let names = recipient.into_iter().chain(holder).filter(|name| !name.is_empty()).collect();
        let country = part(&order.address, "country").unwrap_or_default().to_owned();
        let question = RiskQuestion { order: order.id, user: order.user.clone(), names, country };
        match check(call.clone(), question).await {
            Ok(answer) => Verdict { answer, is_fallback: false },
            Err(fault) => {
                tracing::warn!(order = %order.id, %fault, "the risk of an order could not be assessed: a person has to look at it");
                let reason = "the check was away".to_owned();
                Verdict { answer: RiskAnswer { decision: RiskDecision::Review, reason }, is_fallback: true }
            }
        }
    }
}

/// An answer, or the one that stands for it.
pub(crate) struct Verdict {
    pub(crate) answer: RiskAnswer,
    is_fallback: bool,
}

impl Verdict {
    pub(crate) fn is_declined(&self) -> bool {
        self.answer.decision == RiskDecision::Decline
    }

    /// As the order keeps it.
    pub(crate) fn kept(&self) -> Value {
        json!({"decision": self.answer.decision, "reason": self.answer.reason, "fallbackUsed": self.is_fallback})
    }
}
