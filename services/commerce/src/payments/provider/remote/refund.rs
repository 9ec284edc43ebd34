//! Refunds over HTTP.

use pando_service::prelude::*;
use uuid::Uuid;

use super::HttpProvider;
use super::line::{Answer, NoAnswer};
use crate::payments::provider::domain::order::RefundOrder;
use crate::payments::provider::domain::outcome::{Found, RefundOutcome};
use crate::payments::provider::domain::wire;

const PATH: &str = "/v1/refunds";

impl HttpProvider {
    /// Gives money back.
    pub(in crate::payments::provider) async fn refund(
        &self,
        call: &Call,
        order: &RefundOrder,
    ) -> RefundOutcome {
        let key = Some(format!("pando-refund-{}", order.key));
        match self.0.line.post(call, (PATH, key), &wire::refund_request(order)).await {
            Ok(answer) => outcome(&answer, order),
            Err(NoAnswer::Unknown) => RefundOutcome::Unknown,
            Err(NoAnswer::Unreachable | NoAnswer::BreakerOpen { .. }) => RefundOutcome::Unreachable,
        }
    }

    /// How a refund ended.
    pub(in crate::payments::provider) async fn find_refund(
        &self,
        call: &Call,
        key: Uuid,
    ) -> Found<RefundOutcome> {
        let read = |thing: &serde_json::Value| {
            let told = wire::read_refund(thing)?;
            let found = match told.outcome {
                RefundOutcome::Unknown | RefundOutcome::Unreachable => Found::Pending,
                ended => Found::Ended(ended),
            };
            Some((told.key, found))
        };
        let moved = |outcome: &RefundOutcome| matches!(outcome, RefundOutcome::Refunded { .. });
        self.find(call, (PATH, key), (read, moved)).await
    }
}

fn outcome(answer: &Answer, order: &RefundOrder) -> RefundOutcome {
    if answer.status.is_success() {
        return wire::read_refund(&answer.body).map_or(RefundOutcome::Unknown, |told| told.outcome);
    }
    if answer.is_refusal() {
        let message = answer.error().and_then(|error| error["message"].as_str());
        return RefundOutcome::Refused {
            message: wire::cleaned(message.unwrap_or("the refund was refused")),
        };
    }
    let did_nothing = answer.did_nothing();
    tracing::error!(
        status = answer.status.as_u16(),
        refund = %order.key,
        did_nothing,
        "the payment provider gave no usable answer"
    );
    if did_nothing { RefundOutcome::Unreachable } else { RefundOutcome::Unknown }
}
