//! The secrets of an endpoint, and the signatures that they make.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pando_service::prelude::*;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize;

/// The beginning of a secret that Standard Webhooks describes: the rest is the key in Base64.
const PREFIX: &str = "whsec_";
/// How far the clocks of sender and receiver may differ.
const TOLERANCE_SECONDS: i64 = 300;

/// The secrets that sign what an endpoint gets, and the headers that its caller added.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) current: String,
    /// The one before, until its receiver has learned the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<(String, Timestamp)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
}

/// The signatures of one body at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signatures {
    /// `sha256=` and the body's HMAC in hex, keyed by the text of the secret.
    pub(crate) plain: String,
    /// The same by the secret before.
    pub(crate) plain_previous: Option<String>,
    /// Those of Standard Webhooks, over id, time and body, one for each secret.
    pub(crate) standard: String,
}

/// A fresh secret: 24 random bytes.
pub(crate) fn fresh() -> Result<String, Fault> {
    let mut key = [0; 24];
    SystemRandom::new()
        .fill(&mut key)
        .map_err(|_| Fault::unavailable("the operating system gave no random bytes"))?;
    let secret = format!("{PREFIX}{}", STANDARD.encode(key));
    key.zeroize();
    Ok(secret)
}

/// Why this cannot be a secret, if it cannot.
pub(crate) fn fault(secret: &str) -> Option<&'static str> {
    let visible = secret.bytes().all(|byte| byte.is_ascii_graphic());
    if !(16..=256).contains(&secret.len()) || !visible {
        return Some("must have 16 to 256 visible ASCII characters");
    }
    let encoded = secret.strip_prefix(PREFIX)?;
    let key = STANDARD.decode(encoded).ok().filter(|key| (16..=64).contains(&key.len()));
    key.is_none().then_some("must have 16 to 64 bytes in Base64 after whsec_")
}

impl Secrets {
    /// Signs a body that is sent at a moment, in Unix seconds.
    pub(crate) fn sign(&self, id: &str, now: Timestamp, body: &[u8]) -> Signatures {
        let seconds = now.as_micros().div_euclid(1_000_000);
        let previous = self.previous.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        let mut standard = standard(&self.current, (id, seconds), body);
        if let Some(previous) = previous {
            standard = format!("{standard} {}", self::standard(previous, (id, seconds), body));
        }
        Signatures {
            plain: plain(&self.current, body),
            plain_previous: previous.map(|secret| plain(secret, body)),
            standard,
        }
    }
}

/// Checks the signature of Standard Webhooks that a receiver got, as a receiver should. `signatures` may have several, one of
/// which must be right; its time may be five minutes off.
pub fn check_signature(
    secret: &str,
    (id, timestamp, signatures): (&str, &str, &str),
    body: &[u8],
    now: Timestamp,
) -> Result<(), &'static str> {
    let seconds: i64 = timestamp.parse().map_err(|_| "webhook-timestamp is not a number")?;
    if (now.as_micros().div_euclid(1_000_000) - seconds).abs() > TOLERANCE_SECONDS {
        return Err("webhook-timestamp is more than five minutes off");
    }
    let wanted = standard(secret, (id, seconds), body);
    let right = |one: &str| one.as_bytes().ct_eq(wanted.as_bytes()).into();
    if signatures.split(' ').any(right) { Ok(()) } else { Err("no signature is right") }
}

fn plain(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    let hex = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", hex.collect::<String>())
}

fn standard(secret: &str, (id, seconds): (&str, i64), body: &[u8]) -> String {
    // A secret of another form is the key itself.
    let decoded = secret.strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(secret.as_bytes()));
    let mut signing = hmac::Context::with_key(&key);
    signing.update(format!("{id}.{seconds}.").as_bytes());
    signing.update(body);
    format!("v1,{}", STANDARD.encode(signing.sign()))
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn the_signature_is_that_of_the_published_example() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = br#"{"test": 2432232314}"#;
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = standard(secret, (id, 1_614_265_330), body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = format!("v1,AAAA {signature}");
        let check = |body: &[u8], seconds: i64| {
            let now = Timestamp::from_micros(seconds * 1_000_000);
            check_signature(secret, (id, "1614265330", &both), body, now)
        };
        assert_eq!(check(body, 1_614_265_330 - 300), Ok(()));
        assert!(check(body, 1_614_265_330 + 301).is_err());
        assert!(check(b"{}", 1_614_265_330).is_err());
    }

    #[test]
    fn the_secret_before_signs_until_its_time_is_over() {
        let until = Timestamp::from_micros(10_000_000);
        let secrets = Secrets {
            current: fresh().unwrap(),
            previous: Some((fresh().unwrap(), until)),
            ..Secrets::default()
        };
        let early = secrets.sign("evt_1", Timestamp::from_micros(9_999_999), b"{}");
        assert_eq!(early.standard.split(' ').count(), 2);
        assert!(early.plain_previous.is_some_and(|previous| previous != early.plain));
        let late = secrets.sign("evt_1", until, b"{}");
        assert_eq!((late.standard.split(' ').count(), late.plain_previous), (1, None));
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }

    #[test]
    fn a_secret_of_a_caller_must_be_long_enough() {
        for (secret, good) in [
            ("0123456789abcdef", true),
            ("short", false),
            ("0123456789 abcdef", false),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            ("whsec_MfKQ9r8GKYqr", false),
            ("whsec_not base64 but long enough", false),
        ] {
            assert_eq!(fault(secret).is_none(), good, "{secret}");
        }
    }
}
