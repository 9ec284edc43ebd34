//! Signatures over a message, its id and its time, as Standard Webhooks describes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pando_clock::Timestamp;
use ring::hmac;
use subtle::ConstantTimeEq as _;

/// The beginning of a secret whose rest is the key in Base64.
const PREFIX: &str = "whsec_";
/// How far the clocks of sender and receiver may differ.
const TOLERANCE_SECONDS: i64 = 300;

/// The signature of a message with this id that is sent at a moment, in Unix seconds.
pub fn sign_message(secret: &str, (id, seconds): (&str, i64), body: &[u8]) -> String {
    // A secret of another form is the key itself.
    let decoded = secret.strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(secret.as_bytes()));
    let mut signing = hmac::Context::with_key(&key);
    signing.update(format!("{id}.{seconds}.").as_bytes());
    signing.update(body);
    format!("v1,{}", STANDARD.encode(signing.sign()))
}

/// Checks the id, the time and the signatures that a receiver got with a message. One of the signatures must be right, and the time
/// may be five minutes off.
pub fn check_signature(
    secret: &str,
    (id, timestamp, signatures): (&str, &str, &str),
    body: &[u8],
    now: Timestamp,
) -> Result<(), &'static str> {
    let seconds: i64 = timestamp.parse().map_err(|_| "webhook-timestamp is not a number")?;
    let difference = now.as_micros().div_euclid(1_000_000).checked_sub(seconds);
    if difference.is_none_or(|seconds| seconds.unsigned_abs() > TOLERANCE_SECONDS.unsigned_abs()) {
        return Err("webhook-timestamp is more than five minutes off");
    }
    let wanted = sign_message(secret, (id, seconds), body);
    let right = |one: &str| one.as_bytes().ct_eq(wanted.as_bytes()).into();
    if signatures.split(' ').any(right) { Ok(()) } else { Err("no signature is right") }
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
        let signature = sign_message(secret, (id, 1_614_265_330), body);
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
    fn a_time_that_no_clock_shows_is_refused() {
        for timestamp in ["", "soon", "-9223372036854775808", "9223372036854775807"] {
            let checked =
                check_signature("a secret", ("id", timestamp, "v1,"), b"", Timestamp::from_micros(0));
            assert!(checked.is_err(), "{timestamp}");
        }
    }
}
