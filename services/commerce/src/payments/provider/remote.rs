//! A provider that is asked over HTTP, by the protocol of docs/guides/shop-payments.md.

mod charge;
mod line;
mod refund;
mod tokenize;

use std::sync::Arc;

use http::HeaderMap;
use pando_service::prelude::*;
use pando_telemetry::Secret;
use serde_json::Value;
use uuid::Uuid;

use self::line::Line;
use super::domain::callback::{self, Callback};
use super::domain::outcome::Found;
use super::options::PaymentsOptions;

/// A server that is asked over HTTP. Cloning shares its connections and its breaker.
#[derive(Clone)]
pub struct HttpProvider(Arc<Inner>);

struct Inner {
    line: Line,
    callback_secret: Secret,
}

impl HttpProvider {
    pub(super) fn new(parts: &Parts, options: &PaymentsOptions) -> Result<Self, BadSetting> {
        let missing = || {
            let reason = "must be set for the provider `http`";
            BadSetting::new("commerce.payments", "callback_secret", reason)
        };
        let callback_secret = options.callback_secret.clone().ok_or_else(missing)?;
        Ok(Self(Arc::new(Inner { line: Line::new(parts, options)?, callback_secret })))
    }

    pub(super) fn read_callback(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Callback, Fault> {
        callback::read(&self.0.callback_secret, headers, body, now)
    }

    /// Asks for the things with a key. `read` reads one of those in the answer: its key, and how it stands. If there are several, one that
    /// moved money counts, and then one that still may.
    async fn find<T: PartialEq>(
        &self,
        call: &Call,
        (path, key): (&str, Uuid),
        (read, moved): (impl Fn(&Value) -> Option<(Option<Uuid>, Found<T>)>, impl Fn(&T) -> bool),
    ) -> Found<T> {
        let Ok(answer) = self.0.line.get(call, &format!("{path}?key={key}")).await else {
            return Found::Unreachable;
        };
        let Some(things) = answer.body["data"].as_array().filter(|_| answer.status.is_success()) else {
            tracing::warn!(status = answer.status.as_u16(), %key, "the payment provider did not find out");
            return Found::Unreachable;
        };
        let mut found = Found::NotThere;
        for thing in things {
            // One that cannot be understood may be the one.
            let Some((of, stands)) = read(thing) else { return Found::Unreachable };
            match stands {
                _ if of != Some(key) => {}
                Found::Ended(end) if moved(&end) => return Found::Ended(end),
                Found::Ended(_) if found != Found::NotThere => {}
                stands => found = stands,
            }
        }
        found
    }
}
