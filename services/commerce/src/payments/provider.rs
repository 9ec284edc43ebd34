//! The provider of payments: it takes cards, charges them, and gives money back. Two ship: the sandbox, and one that is asked over HTTP.

pub(crate) mod domain;
pub(crate) mod options;
mod remote;
mod sandbox;

use bytes::Bytes;
use http::HeaderMap;
use pando_queue::JobKind;
use pando_service::prelude::*;
use uuid::Uuid;

use self::domain::callback::Callback;
use self::domain::order::{ChargeOrder, RefundOrder};
use self::domain::outcome::{Found, Outcome, RefundOutcome};
use self::options::{PaymentsOptions, ProviderKind};
use self::remote::HttpProvider;
use self::sandbox::Sandbox;
use super::domain::card::Card;
use super::domain::method::MethodToken;

/// Where money moves. No operation may be called inside of a transaction: it waits for another company. Cloning shares it.
#[derive(Clone)]
pub enum Provider {
    /// The provider inside this program.
    Sandbox(Sandbox),
    /// A server that is asked over HTTP.
    Http(HttpProvider),
}

impl Provider {
    /// The provider of the settings.
    pub fn new(parts: &Parts, options: &PaymentsOptions) -> Result<Self, BadSetting> {
        options.check()?;
        Ok(match options.provider {
            ProviderKind::Sandbox => Self::Sandbox(Sandbox::new(parts, options)?),
            ProviderKind::Http => Self::Http(HttpProvider::new(parts, options)?),
        })
    }

    /// Gives a card to the provider, and to nobody else, for a token that can be stored.
    pub async fn tokenize(&self, call: &Call, card: &Card) -> Result<MethodToken, Fault> {
        match self {
            Self::Sandbox(sandbox) => sandbox.tokenize(card),
            Self::Http(provider) => provider.tokenize(call, card).await,
        }
    }

    /// Charges a card. The same key is charged once, however often it is asked for.
    pub async fn charge(&self, call: &Call, order: &ChargeOrder) -> Outcome {
        match self {
            Self::Sandbox(sandbox) => sandbox.charge(call, order).await,
            Self::Http(provider) => provider.charge(call, order).await,
        }
    }

    /// How the charge of a payment ended.
    pub async fn find_charge(&self, call: &Call, key: Uuid) -> Found<Outcome> {
        match self {
            Self::Sandbox(sandbox) => sandbox.find_charge(call, key).await,
            Self::Http(provider) => provider.find_charge(call, key).await,
        }
    }

    /// Gives money back. The same key is given back once, however often it is asked for.
    pub async fn refund(&self, call: &Call, order: &RefundOrder) -> RefundOutcome {
        match self {
            Self::Sandbox(sandbox) => sandbox.refund(call, order).await,
            Self::Http(provider) => provider.refund(call, order).await,
        }
    }

    /// How a refund ended.
    pub async fn find_refund(&self, call: &Call, key: Uuid) -> Found<RefundOutcome> {
        match self {
            Self::Sandbox(sandbox) => sandbox.find_refund(call, key).await,
            Self::Http(provider) => provider.find_refund(call, key).await,
        }
    }

    /// Reads a callback. One that the provider did not sign, or that is older than five minutes, is refused.
    pub fn read_callback(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Callback, Fault> {
        match self {
            Self::Sandbox(sandbox) => sandbox.read_callback(headers, body, now),
            Self::Http(provider) => provider.read_callback(headers, body, now),
        }
    }

    /// The kind of the jobs with which the sandbox hands its callbacks to `take`, as the route for callbacks would. Another provider
    /// has no such jobs.
    pub fn callback_kind<T, R>(&self, take: T) -> Option<JobKind>
    where
        T: Fn(Call, HeaderMap, Bytes) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        match self {
            Self::Sandbox(sandbox) => Some(sandbox.callback_kind(take)),
            Self::Http(_) => None,
        }
    }
}
