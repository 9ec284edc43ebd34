//! Verifies tokens.

use std::time::Duration;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use pando_resilience::Identity;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Refusal;
use crate::issuer::Issuer;

/// The tokens that count.
pub(crate) struct Tokens {
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) leeway_seconds: u64,
}

/// A token that was verified.
pub(crate) struct Verified {
    pub(crate) identity: Identity,
    /// For how long it counts.
    pub(crate) remaining: Duration,
    /// Every claim but `exp`.
    pub(crate) claims: Map<String, Value>,
}

#[derive(Deserialize)]
struct Claims {
    exp: u64,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Why a token cannot be verified.
pub(crate) enum Unverified {
    Refused(Refusal),
    /// The keys of its issuer cannot be read.
    NoKeys(String),
}

impl From<Refusal> for Unverified {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Whether a credential looks like a token: three parts with dots between them.
pub(crate) fn is_token(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Tokens {
    /// The caller of a token.
    pub(crate) async fn verify(&self, text: &str) -> Result<Verified, Unverified> {
        // Nothing in it is believed yet: it only says which issuer's keys to try.
        let header = decode_header(text).map_err(|error| refusal(error.kind()))?;
        let claims: Map<String, Value> = insecure_decode_claims(text).map_err(|_| Refusal::Unreadable)?;
        let named = claims.get("iss").and_then(Value::as_str).ok_or(Refusal::Issuer)?;
        let issuer =
            self.issuers.iter().find(|issuer| issuer.options.issuer == named).ok_or(Refusal::Issuer)?;
        if !issuer.signs_with(header.alg) {
            return Err(Refusal::Algorithm.into());
        }
        let key = issuer.keys.find(header.kid.as_deref()).await.map_err(Unverified::NoKeys)?;
        let key = key.ok_or(Refusal::Key)?;
        if key.family() != header.alg.family() {
            return Err(Refusal::Algorithm.into());
        }
        let claims = self.claims(text, issuer, header.alg, &key)?;
        let now = jsonwebtoken::get_current_timestamp();
        let remaining =
            Duration::from_secs(claims.exp.saturating_add(self.leeway_seconds).saturating_sub(now));
        Ok(Verified { identity: issuer.identity(&claims.others)?, remaining, claims: claims.others })
    }

    fn claims(
        &self,
        text: &str,
        issuer: &Issuer,
        algorithm: jsonwebtoken::Algorithm,
        key: &DecodingKey,
    ) -> Result<Claims, Refusal> {
        let mut rules = Validation::new(algorithm);
        rules.leeway = self.leeway_seconds;
        rules.validate_nbf = true;
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.set_issuer(&[&issuer.options.issuer]);
        rules.set_audience(&[&issuer.options.audience]);
        let decoded = decode::<Claims>(text, key, &rules).map_err(|error| match error.kind() {
            // The signature is right by then.
            ErrorKind::Json(_) | ErrorKind::InvalidClaimFormat(_) => Refusal::Claims,
            kind => refusal(kind),
        });
        Ok(decoded?.claims)
    }
}

fn refusal(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::ExpiredSignature => Refusal::Expired,
        ErrorKind::ImmatureSignature => Refusal::Early,
        ErrorKind::InvalidAudience => Refusal::Audience,
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::MissingAlgorithm => {
            Refusal::Algorithm
        }
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidSubject => Refusal::Claims,
        _ => Refusal::Unreadable,
    }
}
