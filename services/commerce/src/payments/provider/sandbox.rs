//! The sandbox: a provider inside this program that moves no money. Its ledger stands for the books of another company, so after a crash
//! of this program it still knows every charge.

mod chance;
mod charge;
mod refund;
mod store;
mod tell;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use pando_service::prelude::*;
use pando_telemetry::Secret;
use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;

use super::domain::callback::{self, Callback};
use super::options::{PaymentsOptions, SandboxOptions};
use crate::payments::domain::card::Card;
use crate::payments::domain::method::MethodToken;

/// A provider inside this program. Cloning shares it.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    parts: Parts,
    options: SandboxOptions,
    timeout: Duration,
    callback_secret: Secret,
    /// The charges whose request was lost by chance: the next one arrives.
    lost: Mutex<HashSet<Uuid>>,
}

impl Sandbox {
    pub(super) fn new(parts: &Parts, options: &PaymentsOptions) -> Result<Self, BadSetting> {
        let callback_secret = match &options.callback_secret {
            Some(secret) => secret.clone(),
            None => fresh_secret()?,
        };
        Ok(Self(Arc::new(Inner {
            parts: parts.clone(),
            options: options.sandbox.clone(),
            timeout: Duration::from_millis(options.timeout_ms),
            callback_secret,
            lost: Mutex::default(),
        })))
    }

    /// A token for a card, of which the sandbox keeps nothing. A few numbers always get the same token.
    pub(super) fn tokenize(&self, card: &Card) -> Result<MethodToken, Fault> {
        let token = match chance::token_of(card) {
            Some(token) => token.to_owned(),
            None => format!("pm_{}", self.0.parts.clock.fresh_id().simple()),
        };
        MethodToken::parse(&token).ok_or_else(|| Fault::internal("the sandbox made a token that is none"))
    }

    pub(super) fn read_callback(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Callback, Fault> {
        callback::read(&self.0.callback_secret, headers, body, now)
    }

    /// Waits as long as the sandbox takes for an answer; whether the answer comes in time.
    /// Whether a request that chance has lost was lost before. Then it arrives.
    fn was_lost(&self, key: Uuid) -> bool {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let was_lost = lost.remove(&key);
        if !was_lost {
            lost.insert(key);
        }
        was_lost
    }

    async fn answers(&self, call: &Call, latency: Duration) -> bool {
        let patience = self.0.timeout.min(call.deadline.remaining());
        tokio::time::sleep(latency.min(patience)).await;
        latency.is_zero() || latency < patience
    }
}

/// The process that signs a callback of the sandbox is the one that checks it, so the secret need not outlive it.
fn fresh_secret() -> Result<Secret, BadSetting> {
    let mut key = [0_u8; 32];
    let filled = SystemRandom::new().fill(&mut key);
    filled.map_err(|_| {
        let reason = "must be set, because the operating system gave no random bytes";
        BadSetting::new("commerce.payments", "callback_secret", reason)
    })?;
    Ok(Secret::new(key.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}
