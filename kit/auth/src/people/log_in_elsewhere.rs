//! Logs a person in at a provider of OpenID Connect.
//!
//! The browser keeps a random secret in a cookie while the person is at the provider. State, nonce and the verifier of PKCE are
//! hashes of it, so no process has to remember them, and no other browser can finish the login.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pando_database::DatabaseError;
use pando_resilience::{Call, Role, Tenant};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::operators::NAME_CHARS_MAX;
use super::provider::{Provider, Secrets};
use super::sessions::{Begun, random_text};
use super::{LoginError, Operator, Operators, store};
use crate::LoginOptions;

/// How long a person may take at the provider.
pub(crate) const LOGIN_SECONDS: u64 = 600;
const PATH_BYTES_MAX: usize = 512;
const WAY: &str = "provider";

/// A login that has begun.
pub(crate) struct Departure {
    /// The page of the provider.
    pub(crate) page: String,
    /// The cookie that the browser must bring back.
    pub(crate) cookie: Zeroizing<String>,
}

/// The answer of the provider, as the browser brings it.
pub(crate) struct Return<'r> {
    pub(crate) cookie: Option<&'r str>,
    pub(crate) state: &'r str,
    pub(crate) code: Result<&'r str, &'r str>,
    /// Where the provider sent the browser.
    pub(crate) callback: &'r str,
    /// The session that the browser has.
    pub(crate) before: Option<&'r str>,
}

impl Operators {
    /// Sends a browser to a provider. Afterwards it goes to `path` of this server.
    pub(crate) async fn depart(
        &self,
        provider: &str,
        path: &str,
        callback: &str,
    ) -> Result<Departure, LoginError> {
        let provider = self.provider(provider)?;
        let ends = self.now_seconds() + LOGIN_SECONDS;
        let secret = random_text().ok_or(LoginError::Busy)?;
        let path = BASE64_URL_SAFE_NO_PAD.encode(path);
        let cookie = Zeroizing::new(format!("{}.{ends}.{path}", *secret));
        let page = provider.page(&Secrets::of(&cookie, &provider.options), callback).await?;
        Ok(Departure { page, cookie })
    }

    /// Begins a session for the person whom the provider names, and says where the browser goes.
    pub(crate) async fn arrive(
        &self,
        call: &Call,
        provider: &str,
        brought: Return<'_>,
    ) -> Result<(Begun, String), LoginError> {
        let provider = self.provider(provider)?;
        let arrived = self.admitted(call, provider, brought).await;
        match &arrived {
            Ok((begun, _)) => {
                self.count(WAY, "ok");
                tracing::info!(operator = begun.session.operator, "an operator has logged in at a provider");
            }
            Err(error) => {
                self.count(WAY, "refused");
                tracing::warn!(%error, "a login at a provider failed");
            }
        }
        arrived
    }

    async fn admitted(
        &self,
        call: &Call,
        provider: &Provider,
        brought: Return<'_>,
    ) -> Result<(Begun, String), LoginError> {
        let cookie = brought.cookie.ok_or(LoginError::NotBegun)?;
        let secrets = Secrets::of(cookie, &provider.options);
        // The state is a hash of the whole cookie, so nothing in the cookie was changed.
        let is_ours: bool = secrets.state.as_bytes().ct_eq(brought.state.as_bytes()).into();
        let path = self.path_of(cookie).filter(|_| is_ours).ok_or(LoginError::NotBegun)?;
        let code = brought.code.map_err(|error| LoginError::Unconfirmed(error.to_owned()))?;
        let claims = provider.claims(code, &secrets, brought.callback).await?;
        let mut operator = self.account(call, &provider.options, &claims).await?;
        let mut tx = self.0.database.transaction(call).await?;
        operator = store::lock(&mut tx, &operator.name, self.0.clock.now()).await?;
        if operator.disabled_at.is_some() || operator.link.is_none() {
            return Err(LoginError::NotAllowed("your account is disabled"));
        }
        if provider.options.role_claim.is_some() {
            operator.role = role(&provider.options, &claims)?;
            store::update(&mut tx, &operator).await?;
        }
        let begun = self.begin_session(&mut tx, &operator, brought.before).await?;
        tx.commit().await?;
        // The provider answers for the person now, with the role of now.
        self.forget(&operator.subject(), None);
        Ok((begun, path))
    }

    /// The account of the person. An address alone never leads to one: anybody may have had it before.
    async fn account(
        &self,
        call: &Call,
        options: &LoginOptions,
        claims: &Map<String, Value>,
    ) -> Result<Operator, LoginError> {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let link = (options.issuer.as_str(), subject);
        let found = store::find_linked(&self.0.database.read_primary(call), link).await?;
        if let Some(found) = found {
            let moved = options.tenant_claim.is_some() && tenant(options, claims)? != found.tenant;
            return match moved {
                false => Ok(found),
                true => Err(LoginError::NotAllowed("your account belongs to another tenant")),
            };
        }
        if !options.create_accounts {
            return Err(LoginError::NotAllowed("no account of this server is linked with you"));
        }
        let operator = Operator {
            name: name(options, claims, subject)?,
            tenant: tenant(options, claims)?,
            role: role(options, claims)?,
            link: Some((options.issuer.clone(), subject.to_owned())),
            created_at: self.0.clock.now(),
            ..Operator::nobody()
        };
        let mut tx = self.0.database.transaction(call).await?;
        match store::insert(&mut tx, &operator).await {
            Err(DatabaseError::UniqueViolation { .. }) => {
                Err(LoginError::NotAllowed("another account of this server has your name"))
            }
            inserted => {
                inserted?;
                tx.commit().await?;
                Ok(operator)
            }
        }
    }

    fn provider(&self, name: &str) -> Result<&Provider, LoginError> {
        self.0.providers.iter().find(|provider| provider.options.name == name).ok_or(LoginError::NoProvider)
    }

    /// The path in a cookie, if the login may still be finished.
    fn path_of(&self, cookie: &str) -> Option<String> {
        let [_, ends, path] = cookie.split('.').collect::<Vec<_>>().try_into().ok()?;
        let path = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(path).ok()?).ok()?;
        (ends.parse::<u64>().ok()? > self.now_seconds()).then_some(path)
    }

    fn now_seconds(&self) -> u64 {
        u64::try_from(self.0.clock.now().as_micros() / 1_000_000).unwrap_or(0)
    }
}

impl Secrets {
    /// The secrets of the login that has this cookie.
    fn of(cookie: &str, options: &LoginOptions) -> Self {
        let part = |context| {
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(options.name.as_bytes()).update(b" ").update(cookie.as_bytes());
            BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize().as_bytes())
        };
        Self {
            state: part("pando 2026-11 login state"),
            nonce: part("pando 2026-11 login nonce"),
            verifier: part("pando 2026-11 login verifier"),
        }
    }
}

/// Whether a browser may be sent there after a login: a path of this server, and nothing that leads elsewhere.
pub(crate) fn is_local_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= PATH_BYTES_MAX
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// The address of the person if the provider has verified it and its domain may have accounts, or else the subject.
fn name(options: &LoginOptions, claims: &Map<String, Value>, subject: &str) -> Result<String, LoginError> {
    let is_verified = claims.get("email_verified").and_then(Value::as_bool) == Some(true);
    let email = claims.get("email").and_then(Value::as_str).filter(|_| is_verified).map(str::to_lowercase);
    let domain = email.as_deref().and_then(|email| Some(email.rsplit_once('@')?.1));
    let allowed = options.email_domains.iter().any(|known| Some(known.to_lowercase().as_str()) == domain);
    if !options.email_domains.is_empty() && !allowed {
        return Err(LoginError::NotAllowed("people of your domain have no accounts here"));
    }
    let fits = |name: &String| name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
    Ok(email.filter(fits).unwrap_or_else(|| format!("{}:{subject}", options.name)))
}

fn role(options: &LoginOptions, claims: &Map<String, Value>) -> Result<Role, LoginError> {
    let Some(claim) = &options.role_claim else { return Ok(options.role) };
    let named = claims.get(claim).and_then(Value::as_str).and_then(Role::named);
    named.ok_or(LoginError::NotAllowed("the provider gives you no role here"))
}

fn tenant(options: &LoginOptions, claims: &Map<String, Value>) -> Result<Tenant, LoginError> {
    let Some(claim) = &options.tenant_claim else { return Ok(Tenant::stored(&options.tenant)) };
    let named = claims.get(claim).and_then(Value::as_str).and_then(|name| Tenant::named(name).ok());
    named.ok_or(LoginError::NotAllowed("the provider names no tenant for you"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_goes_to_paths_of_this_server_only() {
        for (path, local) in [
            ("/", true),
            ("/console?tab=tasks#top", true),
            ("", false),
            ("console", false),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("/\tevil.example", false),
            ("https://evil.example", false),
            ("/é", false),
        ] {
            assert_eq!(is_local_path(path), local, "{path:?}");
        }
    }
}
