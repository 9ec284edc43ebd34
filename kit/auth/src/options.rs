//! The settings of authentication.

use std::path::PathBuf;

use pando_resilience::{Role, Tenant};
use pando_telemetry::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AuthError;

const TENANT_RULE: &str = "has 1 to 40 of a-z, 0-9 and -, and begins with a letter";
const TENANT_TWICE: &str = "cannot be set together with tenant";

/// Settings of authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthOptions {
    /// Whether callers have to prove who they are.
    pub mode: AuthMode,
    /// The issuers whose tokens count.
    pub issuers: Vec<IssuerOptions>,
    /// Whether tokens of `pando token` count, whose key is in the data directory.
    pub development_issuer: bool,
    /// How many verified credentials a process remembers.
    pub remembered_max: usize,
    /// For how long a verified API key is remembered: a revoked one may be used that much longer.
    pub key_recheck_ms: u64,
    /// How far the clocks of issuers may differ from ours.
    pub leeway_seconds: u64,
    /// How often the keys of issuers are read anew.
    pub refresh_seconds: u64,
    /// The providers of OpenID Connect at which people log in.
    pub login: Vec<LoginOptions>,
    /// How many passwords are hashed at the same time: each takes 19 MiB, and a core for tens of milliseconds.
    pub passwords_at_once: usize,
    /// A session that is not used for so long ends.
    pub session_idle_minutes: u64,
    /// A session ends after so long although it is used.
    pub session_max_minutes: u64,
}

/// Whether callers have to prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// No. The server listens on this machine only.
    #[default]
    Loopback,
    /// No, and the server may listen anywhere: something in front of it keeps strangers out.
    Off,
    /// Yes.
    Required,
}

/// An issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerOptions {
    /// The claim `iss` of its tokens: the address of the issuer.
    pub issuer: String,
    /// The claim `aud` of tokens for us.
    pub audience: String,
    /// The algorithms that it signs with.
    pub algorithms: Vec<TokenAlgorithm>,
    /// Where its keys are. Without this, a file and a secret, they are looked for as OpenID Connect Discovery says.
    pub jwks_url: Option<String>,
    /// A file with its keys.
    pub jwks_file: Option<PathBuf>,
    /// The secret of HS256, of at least 32 bytes.
    pub secret: Option<Secret>,
    /// The tenant of its callers, where no claim says it. Empty: the tenant that every installation has.
    pub tenant: String,
    /// The claim that names the tenant. A token without it does not count.
    pub tenant_claim: Option<String>,
    /// The claim that names scopes: a text with blanks, or a list.
    pub scope_claim: String,
    /// The claim that names a role, for tokens without scopes: `readonly`, `operator` or `admin`.
    pub role_claim: String,
    /// Put before the claim `sub`, so that callers of two issuers have different names.
    pub subject_prefix: String,
}

/// A provider of OpenID Connect at which people log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginOptions {
    /// Its name in addresses: `/api/v1/session/oidc/NAME`.
    pub name: String,
    /// The address of the provider, under which its configuration is found.
    pub issuer: String,
    /// The name of this server at the provider.
    pub client_id: String,
    /// The secret of this server at the provider, if it has one.
    pub client_secret: Option<Secret>,
    /// The scopes that the provider is asked for.
    pub scopes: Vec<String>,
    /// Whether a person without an account gets one.
    pub create_accounts: bool,
    /// The domains of addresses whose people get an account; of everybody if there are none.
    pub email_domains: Vec<String>,
    /// The role of accounts that are made.
    pub role: Role,
    /// The claim that names the role instead, at each login.
    pub role_claim: Option<String>,
    /// The tenant of accounts that are made. Empty: the tenant that every installation has.
    pub tenant: String,
    /// The claim that names the tenant instead.
    pub tenant_claim: Option<String>,
}

/// An algorithm of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenAlgorithm {
    /// RSA with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// A shared secret with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            mode: AuthMode::Loopback,
            issuers: Vec::new(),
            development_issuer: false,
            remembered_max: 10_000,
            key_recheck_ms: 5_000,
            leeway_seconds: 30,
            refresh_seconds: 300,
            login: Vec::new(),
            passwords_at_once: 2,
            session_idle_minutes: 30,
            session_max_minutes: 720,
        }
    }
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            algorithms: vec![TokenAlgorithm::Rs256, TokenAlgorithm::Es256, TokenAlgorithm::EdDsa],
            jwks_url: None,
            jwks_file: None,
            secret: None,
            tenant: String::new(),
            tenant_claim: None,
            scope_claim: "scope".to_owned(),
            role_claim: "role".to_owned(),
            subject_prefix: String::new(),
        }
    }
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self {
            name: String::new(),
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            scopes: ["openid", "email"].map(str::to_owned).to_vec(),
            create_accounts: false,
            email_domains: Vec::new(),
            role: Role::Readonly,
            role_claim: None,
            tenant: String::new(),
            tenant_claim: None,
        }
    }
}

impl AuthOptions {
    /// Whether callers can be recognised with these.
    pub fn check(&self) -> Result<(), AuthError> {
        for (name, value, range) in [
            ("remembered_max", self.remembered_max as u64, 1..=10_000_000),
            ("key_recheck_ms", self.key_recheck_ms, 1..=3_600_000),
            ("leeway_seconds", self.leeway_seconds, 0..=300),
            ("refresh_seconds", self.refresh_seconds, 1..=86_400),
            ("passwords_at_once", self.passwords_at_once as u64, 1..=256),
            ("session_idle_minutes", self.session_idle_minutes, 1..=43_200),
            ("session_max_minutes", self.session_max_minutes, 1..=525_600),
        ] {
            if !range.contains(&value) {
                let reason = format!("{value} is not within {} and {}", range.start(), range.end());
                return Err(AuthError::setting(name, reason));
            }
        }
        for (place, issuer) in self.issuers.iter().enumerate() {
            issuer
                .check()
                .map_err(|(field, reason)| AuthError::setting(format!("issuers[{place}].{field}"), reason))?;
            if self.issuers[..place].iter().any(|other| other.issuer == issuer.issuer) {
                return Err(AuthError::setting(format!("issuers[{place}].issuer"), "is there twice"));
            }
        }
        for (place, login) in self.login.iter().enumerate() {
            login
                .check()
                .map_err(|(field, reason)| AuthError::setting(format!("login[{place}].{field}"), reason))?;
            if self.login[..place].iter().any(|other| other.name == login.name) {
                return Err(AuthError::setting(format!("login[{place}].name"), "is there twice"));
            }
        }
        Ok(())
    }
}

impl LoginOptions {
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match () {
            () if !(1..=40).contains(&self.name.len()) || !self.name.bytes().all(is_letter) => {
                Err(("name", "has 1 to 40 of a-z, 0-9 and -"))
            }
            () if self.client_id.is_empty() => Err(("client_id", "must be the name of this server there")),
            () if !self.scopes.iter().any(|scope| scope == "openid") => {
                Err(("scopes", "must name openid, or the provider does not say who the person is"))
            }
            () if self.gives_a_role_to_everybody() => Err((
                "role",
                "must be readonly, because everybody whom the provider knows gets an account: set email_domains or role_claim",
            )),
            () if !self.tenant.is_empty() && Tenant::named(&self.tenant).is_err() => {
                Err(("tenant", TENANT_RULE))
            }
            () if !self.tenant.is_empty() && self.tenant_claim.is_some() => {
                Err(("tenant_claim", TENANT_TWICE))
            }
            () => self.issuer_options().check(),
        }
    }

    fn gives_a_role_to_everybody(&self) -> bool {
        let everybody = self.create_accounts && self.email_domains.is_empty() && self.role_claim.is_none();
        everybody && self.role > Role::Readonly
    }

    /// The provider as the issuer of tokens for this server.
    pub(crate) fn issuer_options(&self) -> IssuerOptions {
        IssuerOptions {
            issuer: self.issuer.clone(),
            audience: self.client_id.clone(),
            ..IssuerOptions::default()
        }
    }
}

impl IssuerOptions {
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let is_symmetric = self.algorithms.contains(&TokenAlgorithm::Hs256);
        match () {
            () if self.issuer.is_empty() => Err(("issuer", "must be the claim `iss` of its tokens")),
            () if self.audience.is_empty() => Err(("audience", "must be the claim `aud` of tokens for us")),
            () if self.algorithms.is_empty() => Err(("algorithms", "must name an algorithm")),
            // A public key that is taken for a secret lets anybody make tokens.
            () if is_symmetric && self.algorithms.len() > 1 => {
                Err(("algorithms", "must not name HS256 beside an algorithm of public keys"))
            }
            () if is_symmetric != self.secret.is_some() => {
                Err(("secret", "must be set for HS256, and only for it"))
            }
            () if self.secret.as_ref().is_some_and(|secret| secret.expose().len() < 32) => {
                Err(("secret", "must have at least 32 bytes"))
            }
            () if self.jwks_url.is_some() && self.jwks_file.is_some() => {
                Err(("jwks_file", "cannot be set together with jwks_url"))
            }
            () if !self.tenant.is_empty() && Tenant::named(&self.tenant).is_err() => {
                Err(("tenant", TENANT_RULE))
            }
            () if !self.tenant.is_empty() && self.tenant_claim.is_some() => {
                Err(("tenant_claim", TENANT_TWICE))
            }
            () => Ok(()),
        }
    }
}
