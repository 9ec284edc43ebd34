//! The secrets of an endpoint, and the signatures that they make.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pando_service::prelude::*;
use pando_service::sign_message;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// The beginning of a secret that Standard Webhooks describes: the rest is the key in Base64.
const PREFIX: &str = "whsec_";

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
        let mut standard = sign_message(&self.current, (id, seconds), body);
        if let Some(previous) = previous {
            standard = format!("{standard} {}", sign_message(previous, (id, seconds), body));
        }
        Signatures {
            plain: plain(&self.current, body),
            plain_previous: previous.map(|secret| plain(secret, body)),
            standard,
        }
    }
}

fn plain(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    let hex = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", hex.collect::<String>())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
