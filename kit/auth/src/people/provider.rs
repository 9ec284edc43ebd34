//! A provider of OpenID Connect at which people log in: the authorization code flow with PKCE.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use super::LoginError;
use crate::issuer::Issuer;
use crate::key_set::{Configuration, Fetch, discover};
use crate::token::{Tokens, Unverified};
use crate::{AuthOptions, LoginOptions};

/// A provider.
pub(super) struct Provider {
    pub(super) options: LoginOptions,
    tokens: Tokens,
    fetch: Fetch,
    refresh: Duration,
    configuration: Mutex<Option<(Instant, Configuration)>>,
}

/// The secrets of one login, which only the browser that began it can name.
pub(super) struct Secrets {
    pub(super) state: String,
    pub(super) nonce: String,
    /// Of PKCE.
    pub(super) verifier: String,
}

#[derive(Deserialize)]
struct Answer {
    id_token: String,
}

impl Provider {
    pub(super) fn new(options: &LoginOptions, fetch: &Fetch, auth: &AuthOptions) -> Self {
        let refresh = Duration::from_secs(auth.refresh_seconds);
        let issuer = Issuer::new(&options.issuer_options(), fetch, refresh);
        let tokens = Tokens { issuers: vec![issuer], leeway_seconds: auth.leeway_seconds };
        let (options, fetch) = (options.clone(), fetch.clone());
        Self { options, tokens, fetch, refresh, configuration: Mutex::default() }
    }

    /// The page of the provider on which the person logs in.
    pub(super) async fn page(&self, secrets: &Secrets, callback: &str) -> Result<String, LoginError> {
        let place = self.configuration().await?.authorization_endpoint;
        let place =
            place.ok_or_else(|| LoginError::NoAnswer("it has no authorization_endpoint".to_owned()))?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, secrets.verifier.as_bytes()));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.options.client_id),
            ("redirect_uri", callback),
            ("scope", &self.options.scopes.join(" ")),
            ("state", &secrets.state),
            ("nonce", &secrets.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let sign = if place.contains('?') { '&' } else { '?' };
        Ok(format!("{place}{sign}{query}"))
    }

    /// Exchanges the code that the browser brought for the claims of a verified ID token.
    pub(super) async fn claims(
        &self,
        code: &str,
        secrets: &Secrets,
        callback: &str,
    ) -> Result<Map<String, Value>, LoginError> {
        let token = self.exchange(code, secrets, callback).await?;
        let verified = self.tokens.verify(&token).await.map_err(|error| match error {
            Unverified::Refused(refusal) => LoginError::Unconfirmed(refusal.to_string()),
            Unverified::NoKeys(reason) => LoginError::NoAnswer(reason),
        })?;
        let claims = verified.claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let nonce = text("nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(secrets.nonce.as_bytes())) {
            return Err(LoginError::Unconfirmed("its token is for another login".to_owned()));
        }
        // A token for several audiences names the one that it was issued to.
        if text("azp").is_some_and(|party| party != self.options.client_id) {
            return Err(LoginError::Unconfirmed("its token is for another client".to_owned()));
        }
        Ok(claims)
    }

    async fn exchange(&self, code: &str, secrets: &Secrets, callback: &str) -> Result<String, LoginError> {
        let place = self.configuration().await?.token_endpoint;
        let place = place.ok_or_else(|| LoginError::NoAnswer("it has no token_endpoint".to_owned()))?;
        let client = self.options.client_id.as_str();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", &secrets.verifier),
        ];
        let mut request = Request::post(&place)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        match &self.options.client_secret {
            Some(secret) => {
                let pair = format!("{}:{}", escaped(client), escaped(secret.expose()));
                let basic = format!("Basic {}", BASE64_STANDARD.encode(pair));
                request = request.header(header::AUTHORIZATION, basic);
            }
            None => fields.push(("client_id", client)),
        }
        let request = request.body(Bytes::from(form(&fields)));
        let request = request.map_err(|error| LoginError::NoAnswer(format!("{place}: {error}")))?;
        let answer = (self.fetch)(request).await.map_err(LoginError::NoAnswer)?;
        match answer.status() {
            StatusCode::OK => {
                let answer: Answer = serde_json::from_slice(answer.body())
                    .map_err(|_| LoginError::Unconfirmed("its answer has no id_token".to_owned()))?;
                Ok(answer.id_token)
            }
            status if status.is_client_error() => {
                Err(LoginError::Unconfirmed("it does not take the code of this login".to_owned()))
            }
            status => Err(LoginError::NoAnswer(format!("{place} answered {status}"))),
        }
    }

    async fn configuration(&self) -> Result<Configuration, LoginError> {
        let mut kept = self.configuration.lock().await;
        if let Some((read_at, configuration)) = &*kept
            && read_at.elapsed() < self.refresh
        {
            return Ok(configuration.clone());
        }
        match (discover(&self.fetch, &self.options.issuer).await, &*kept) {
            (Ok(configuration), _) => {
                *kept = Some((Instant::now(), configuration.clone()));
                Ok(configuration)
            }
            (Err(_), Some((_, before))) => Ok(before.clone()),
            (Err(reason), None) => Err(LoginError::NoAnswer(reason)),
        }
    }
}

/// Fields of a form, or of a query.
fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
