//! Gives the card of a buyer to the provider, for a token that can be kept.

use pando_service::prelude::*;

use super::domain::card::GivenMethod;
use super::domain::means::{Chosen, Means};
use super::domain::method::Method;
use crate::Commerce;

impl Commerce {
    /// The means of payment as an order keeps it. No transaction may be open: the provider is asked.
    pub(crate) async fn choose_method(&self, call: &Call, means: &Means) -> Result<Chosen, Fault> {
        Ok(match means {
            Means::Kind(kind) => Chosen::Kind(*kind),
            Means::Given(GivenMethod::Token(kind, token)) => {
                Chosen::Method(Method::of_token(*kind, token.clone()))
            }
            Means::Given(GivenMethod::Card(kind, card)) => {
                let token = self.0.provider.tokenize(call, card).await?;
                Chosen::Method(card.kept(*kind, token))
            }
        })
    }
}
