//! Callbacks: the provider tells how a charge or a refund ended, signed as Standard Webhooks describes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use pando_service::prelude::*;
use pando_service::{Class, check_signature, sign_message};
use pando_telemetry::Secret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::outcome::{Outcome, RefundOutcome};
use super::wire;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const EVENT_ID_BYTES_MAX: usize = 200;

/// One callback. The provider may send it late, more than once, and after one that happened later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The same in every copy of the callback.
    pub event_id: String,
    /// The news.
    pub news: News,
}

/// The news that a callback brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A charge of a payment ended, or the provider is at work on it (`Unknown`).
    Charge {
        /// The id of the payment.
        key: Uuid,
        /// How it stands.
        outcome: Outcome,
    },
    /// A refund ended, or the provider is at work on it (`Unknown`).
    Refund {
        /// The id of the refund.
        key: Uuid,
        /// How it stands.
        outcome: RefundOutcome,
    },
    /// Something else, which is of no interest here: it is to be acknowledged, and that is all.
    Other,
}

/// Reads a callback after its signature was checked.
pub(crate) fn read(
    secret: &Secret,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Callback, Fault> {
    let header =
        |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp, signatures) = (header(&ID), header(&TIMESTAMP), header(&SIGNATURE));
    check_signature(secret.expose(), (id, timestamp, signatures), body, now)
        .map_err(|reason| Fault::new(Class::Unauthenticated, format!("the callback is refused: {reason}")))?;
    let bad = |detail| Fault::new(Class::Malformed, detail);
    if !(1..=EVENT_ID_BYTES_MAX).contains(&id.len()) {
        return Err(bad("webhook-id must have 1 to 200 characters"));
    }
    let event: Value = serde_json::from_slice(body).map_err(|_| bad("the callback is not JSON"))?;
    let (kind, object) = (event["type"].as_str().unwrap_or_default(), &event["data"]["object"]);
    let news = match kind.split('.').next() {
        Some("payment_intent") => {
            let told = wire::read_charge(object).ok_or_else(|| bad("the callback has no charge"))?;
            told.key.map_or(News::Other, |key| News::Charge { key, outcome: told.outcome })
        }
        Some("refund") => {
            let told = wire::read_refund(object).ok_or_else(|| bad("the callback has no refund"))?;
            told.key.map_or(News::Other, |key| News::Refund { key, outcome: told.outcome })
        }
        _ => News::Other,
    };
    Ok(Callback { event_id: id.to_owned(), news })
}

/// A callback as the sandbox sends it: its headers and its body.
pub(crate) fn signed(
    secret: &Secret,
    (event_id, kind, object): (&str, &str, &Value),
    now: Timestamp,
) -> Result<(HeaderMap, Bytes), Fault> {
    let seconds = now.as_micros().div_euclid(1_000_000);
    let body = json!({"id": event_id, "type": kind, "created": seconds, "data": {"object": object}});
    let body = Bytes::from(body.to_string());
    let signature = sign_message(secret.expose(), (event_id, seconds), &body);
    let values = [(ID, event_id.to_owned()), (TIMESTAMP, seconds.to_string()), (SIGNATURE, signature)];
    let headers = values.into_iter().map(|(name, value)| Ok((name, HeaderValue::try_from(value)?)));
    let headers = headers.collect::<Result<_, http::header::InvalidHeaderValue>>();
    Ok((headers.map_err(Fault::internal)?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn sent(kind: &str, object: Value) -> (HeaderMap, Bytes) {
        signed(&Secret::new("a secret of the test"), ("evt_1", kind, &object), moment()).unwrap()
    }

    fn taken(headers: &HeaderMap, body: &[u8], seconds: i64) -> Result<Callback, Fault> {
        let now = moment().plus_micros(seconds * 1_000_000);
        read(&Secret::new("a secret of the test"), headers, body, now)
    }

    #[test]
    fn a_callback_is_read_within_five_minutes_of_its_time() {
        let key = Uuid::from_u128(7);
        let object = json!({"status": "processing", "metadata": {"key": key}});
        let (headers, body) = sent("payment_intent.processing", object);
        let callback =
            Callback { event_id: "evt_1".to_owned(), news: News::Charge { key, outcome: Outcome::Unknown } };
        for seconds in [-300, 0, 300] {
            assert_eq!(taken(&headers, &body, seconds).unwrap(), callback);
        }
        for seconds in [-301, 301] {
            assert_eq!(taken(&headers, &body, seconds).unwrap_err().class(), Class::Unauthenticated);
        }
    }

    #[test]
    fn a_callback_that_is_not_the_providers_is_refused() {
        let (headers, body) = sent("refund.succeeded", json!({"status": "pending"}));
        let changed = body.iter().copied().chain(*b" ").collect::<Vec<u8>>();
        assert_eq!(taken(&headers, &changed, 0).unwrap_err().class(), Class::Unauthenticated);
        for name in [ID, TIMESTAMP, SIGNATURE] {
            let mut without = headers.clone();
            without.remove(&name);
            assert_eq!(taken(&without, &body, 0).unwrap_err().class(), Class::Unauthenticated, "{name}");
            let mut other = headers.clone();
            other.insert(&name, HeaderValue::from_static("1767225601"));
            assert_eq!(taken(&other, &body, 0).unwrap_err().class(), Class::Unauthenticated, "{name}");
        }
        let stranger = read(&Secret::new("another secret"), &headers, &body, moment());
        assert_eq!(stranger.unwrap_err().class(), Class::Unauthenticated);
    }

    #[test]
    fn news_about_other_things_are_acknowledged_and_broken_news_are_not() {
        let foreign = json!({"status": "succeeded", "id": "pi_1"});
        for (kind, object) in [("customer.created", json!({})), ("payment_intent.succeeded", foreign)] {
            let (headers, body) = sent(kind, object);
            assert_eq!(taken(&headers, &body, 0).unwrap().news, News::Other, "{kind}");
        }
        let (headers, body) = sent("refund.created", json!({"status": "?"}));
        assert_eq!(taken(&headers, &body, 0).unwrap_err().class(), Class::Malformed);
    }
}
