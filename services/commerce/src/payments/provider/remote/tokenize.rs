//! Cards go to the provider, which gives a token for each.

use pando_service::Class;
use pando_service::prelude::*;

use super::HttpProvider;
use super::line::{Answer, NoAnswer};
use crate::payments::domain::card::Card;
use crate::payments::domain::method::MethodToken;
use crate::payments::provider::domain::outcome::Outcome;
use crate::payments::provider::domain::wire;

const PATH: &str = "/v1/payment_methods";

impl HttpProvider {
    /// A token for a card. Nothing is charged, so a caller may simply ask again after a fault.
    pub(in crate::payments::provider) async fn tokenize(
        &self,
        call: &Call,
        card: &Card,
    ) -> Result<MethodToken, Fault> {
        match self.0.line.post(call, (PATH, None), &wire::method_request(card)).await {
            Ok(answer) => token(&answer),
            Err(NoAnswer::BreakerOpen { retry_after }) => Err(Fault::new(
                Class::Unavailable,
                "the payment provider does not answer: it is asked again after a pause",
            )
            .named("CIRCUIT_BREAKER_OPEN")
            .with_retry_after(retry_after.as_secs().max(1))),
            Err(NoAnswer::Unreachable | NoAnswer::Unknown) => Err(no_answer()),
        }
    }
}

fn token(answer: &Answer) -> Result<MethodToken, Fault> {
    if answer.status.is_success() {
        let token = answer.body["id"].as_str().and_then(MethodToken::parse);
        return token.ok_or_else(|| {
            tracing::error!("the payment provider gave no token for a card");
            no_answer()
        });
    }
    if !answer.is_refusal() {
        tracing::error!(status = answer.status.as_u16(), "the payment provider gave no token for a card");
        return Err(no_answer());
    }
    // The words of the provider may repeat the card. Those of its code do not.
    let error = answer.error().map_or_else(
        Default::default,
        |error| serde_json::json!({"code": error["code"], "decline_code": error["decline_code"]}),
    );
    let message = match wire::declined(&error) {
        Outcome::Declined { message, .. } => message,
        Outcome::Captured { .. } | Outcome::Unknown | Outcome::Unreachable => String::new(),
    };
    let refused = Fault::new(Class::Malformed, message.clone()).named("PAYMENT_METHOD_INVALID");
    Err(refused.with_field("paymentMethod", "refused", message))
}

fn no_answer() -> Fault {
    Fault::busy("the payment provider gave no usable answer, try again").named("PAYMENT_PROCESSOR_ERROR")
}
