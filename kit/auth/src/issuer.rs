//! An issuer, and what its tokens say about their callers.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use pando_resilience::{Identity, Role, Scopes, Tenant};
use serde_json::{Map, Value};

use crate::key_set::{Fetch, KeySet, Source};
use crate::{IssuerOptions, Refusal, TokenAlgorithm};

/// The longest name of a caller.
const SUBJECT_CHARS_MAX: usize = 200;
/// How many scopes a token may have; further ones count for nothing.
const SCOPES_MAX: usize = 200;

/// An issuer whose tokens count.
pub(crate) struct Issuer {
    pub(crate) options: IssuerOptions,
    pub(crate) keys: KeySet,
    /// Whether a token without the claim of a tenant is for the tenant that every installation has.
    pub(crate) tenant_is_optional: bool,
}

impl Issuer {
    pub(crate) fn new(options: &IssuerOptions, fetch: &Fetch, refresh: Duration) -> Self {
        let keys = match (&options.secret, &options.jwks_file, &options.jwks_url) {
            (Some(secret), _, _) => KeySet::given(DecodingKey::from_secret(secret.expose().as_bytes())),
            (None, Some(file), _) => KeySet::at(Source::File(file.clone()), fetch.clone(), refresh),
            (None, None, Some(url)) => KeySet::at(Source::Url(url.clone()), fetch.clone(), refresh),
            (None, None, None) => {
                KeySet::at(Source::Discovery(options.issuer.clone()), fetch.clone(), refresh)
            }
        };
        Self { options: options.clone(), keys, tenant_is_optional: false }
    }

    /// Whether it signs with this algorithm.
    pub(crate) fn signs_with(&self, algorithm: Algorithm) -> bool {
        self.options.algorithms.iter().any(|known| known.of_token() == algorithm)
    }

    /// The caller of a token whose signature was verified.
    pub(crate) fn identity(&self, claims: &Map<String, Value>) -> Result<Identity, Refusal> {
        let options = &self.options;
        let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| is_subject(subject));
        let subject = format!("{}{}", options.subject_prefix, subject.ok_or(Refusal::Claims)?);
        let tenant = match &options.tenant_claim {
            Some(claim) if self.tenant_is_optional && !claims.contains_key(claim) => Tenant::default(),
            Some(claim) => {
                let name = claims.get(claim).and_then(Value::as_str).ok_or(Refusal::Tenant)?;
                Tenant::named(name).map_err(|_| Refusal::Tenant)?
            }
            None => Tenant::stored(&options.tenant),
        };
        // The name of a token is the issuer's text, and is put into logs like the subject.
        let id = claims.get("jti").and_then(Value::as_str).filter(|id| is_subject(id));
        let credential = match id {
            Some(id) => format!("token:{} {id}", options.issuer),
            None => format!("token:{}", options.issuer),
        };
        let scopes = self.scopes(claims)?;
        Ok(Identity { tenant, subject: Arc::from(subject), scopes, credential: credential.into() })
    }

    /// The scopes that the token names; if it names none at all, those of its role.
    fn scopes(&self, claims: &Map<String, Value>) -> Result<Scopes, Refusal> {
        let named: Vec<&str> = match claims.get(&self.options.scope_claim) {
            Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(Value::Null) | None => {
                return match claims.get(&self.options.role_claim) {
                    Some(Value::String(role)) => {
                        Ok(Role::named(role).map_or(Scopes::default(), Scopes::of_role))
                    }
                    Some(Value::Null) | None => Ok(Scopes::default()),
                    Some(_) => Err(Refusal::Claims),
                };
            }
            Some(_) => return Err(Refusal::Claims),
        };
        // Issuers name scopes of others as well, such as `openid`.
        Ok(Scopes::named(named.into_iter().filter(|name| Scopes::is_scope(name)).take(SCOPES_MAX)))
    }
}

fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= SUBJECT_CHARS_MAX && !text.chars().any(char::is_control)
}

impl TokenAlgorithm {
    pub(crate) fn of_token(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
            Self::Hs256 => Algorithm::HS256,
        }
    }
}
