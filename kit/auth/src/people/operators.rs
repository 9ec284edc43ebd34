//! The accounts of people who log in, as `pando operators` manages them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pando_clock::{Clock, Timestamp};
use pando_database::{Database, DatabaseError};
use pando_resilience::{Call, Identity, Role, Tenant};
use pando_telemetry::Metrics;
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

use super::attempts::Attempts;
use super::passwords::Passwords;
use super::provider::Provider;
use super::sessions::{Remembered, random_text};
use super::store;
use crate::key_set::Fetch;
use crate::{AuthError, AuthMode, AuthOptions, ring_provider};

/// The longest name of an account.
pub(super) const NAME_CHARS_MAX: usize = 250;
const LISTED_MAX: i64 = 10_000;

/// The account of a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Operator {
    /// Its name, unique over all tenants. In histories the person is called `operator:NAME`.
    pub name: String,
    /// The tenant whose data it is for.
    pub tenant: Tenant,
    /// The role of the person.
    pub role: Role,
    /// The hash of the password, unless the person only logs in at a provider.
    pub(super) hash: Option<String>,
    /// Issuer and subject of the person at a provider of OpenID Connect.
    pub link: Option<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Wrong passwords in a row.
    pub failures: i64,
    /// Until when no password is taken, after too many wrong ones.
    pub locked_until: Option<Timestamp>,
}

/// An account that is to be made.
#[derive(Debug)]
pub struct NewOperator {
    /// Its name, unique over all tenants.
    pub name: String,
    /// The tenant whose data it is for.
    pub tenant: Tenant,
    /// The role of the person.
    pub role: Role,
    /// How the person logs in.
    pub way: LoginWay,
}

/// How a person logs in.
pub enum LoginWay {
    /// With a password.
    Password(Zeroizing<String>),
    /// At a provider of OpenID Connect, where the person is this subject of this issuer.
    Provider {
        /// The claim `iss` of the person's tokens.
        issuer: String,
        /// The claim `sub`.
        subject: String,
    },
}

/// The people who log in, and their sessions. Cloning shares it.
#[derive(Clone)]
pub struct Operators(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) database: Database,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) mode: AuthMode,
    pub(super) passwords: Passwords,
    pub(super) attempts: Attempts,
    pub(super) providers: Vec<Provider>,
    pub(super) remembered: Cache<[u8; 32], Arc<Remembered>>,
    pub(super) recheck: Duration,
    pub(super) session_idle: Duration,
    pub(super) session_max: Duration,
}

impl Operators {
    /// The accounts of this database. `fetch` reaches providers.
    pub fn new(
        options: &AuthOptions,
        fetch: &Fetch,
        (database, clock, metrics): (&Database, &Clock, &Metrics),
    ) -> Result<Self, AuthError> {
        options.check()?;
        ring_provider::install();
        Ok(Self(Arc::new(Inner {
            database: database.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            mode: options.mode,
            passwords: Passwords::new(options.passwords_at_once, metrics),
            attempts: Attempts::new(clock),
            providers: options.login.iter().map(|login| Provider::new(login, fetch, options)).collect(),
            remembered: Cache::new(options.remembered_max),
            recheck: Duration::from_millis(options.key_recheck_ms),
            session_idle: Duration::from_secs(options.session_idle_minutes * 60),
            session_max: Duration::from_secs(options.session_max_minutes * 60),
        })))
    }

    /// Makes an account.
    pub async fn add(&self, call: &Call, new: NewOperator) -> Result<Operator, AuthError> {
        let name = new.name.trim();
        let bad = |reason: &str| AuthError::setting("name", reason);
        if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(bad("must have 1 to 250 characters"));
        }
        let (hash, link) = match new.way {
            LoginWay::Password(password) => (Some(self.0.passwords.hash(password).await?), None),
            LoginWay::Provider { issuer, subject } => (None, Some((issuer, subject))),
        };
        let operator = Operator {
            name: name.to_owned(),
            tenant: new.tenant,
            role: new.role,
            hash,
            link,
            created_at: self.0.clock.now(),
            ..Operator::nobody()
        };
        let mut tx = self.0.database.transaction(call).await?;
        match store::insert(&mut tx, &operator).await {
            Err(DatabaseError::UniqueViolation { .. }) => {
                return Err(bad("an account has this name, or is linked with this person, already"));
            }
            inserted => inserted?,
        }
        tx.commit().await?;
        Ok(operator)
    }

    /// Gives an account another password, unlocks it, and ends its sessions.
    pub async fn reset(
        &self,
        call: &Call,
        name: &str,
        password: Zeroizing<String>,
    ) -> Result<Operator, AuthError> {
        let hash = self.0.passwords.hash(password).await?;
        self.change(call, name, |operator| operator.hash = Some(hash)).await
    }

    /// Disables an account and ends its sessions. Servers refuse them within `key_recheck_ms`.
    pub async fn disable(&self, call: &Call, name: &str) -> Result<Operator, AuthError> {
        let now = self.0.clock.now();
        self.change(call, name, |operator| operator.disabled_at = Some(now)).await
    }

    /// Enables an account again, and unlocks it.
    pub async fn enable(&self, call: &Call, name: &str) -> Result<Operator, AuthError> {
        self.change(call, name, |operator| operator.disabled_at = None).await
    }

    /// A password that nobody can guess.
    pub fn random_password() -> Result<Zeroizing<String>, AuthError> {
        let failed = || AuthError::setting("operators", "the operating system gave no random bytes");
        random_text().ok_or_else(failed)
    }

    /// The accounts of a tenant, or of all.
    pub async fn list(&self, call: &Call, tenant: Option<&Tenant>) -> Result<Vec<Operator>, AuthError> {
        Ok(store::list(&self.0.database.read_primary(call), tenant, LISTED_MAX).await?)
    }

    async fn change(
        &self,
        call: &Call,
        name: &str,
        change: impl FnOnce(&mut Operator),
    ) -> Result<Operator, AuthError> {
        let mut tx = self.0.database.transaction(call).await?;
        let mut operator = store::lock(&mut tx, name, self.0.clock.now()).await?;
        if operator.is_nobody() || operator.name != name {
            return Err(AuthError::setting("name", format!("there is no operator {name}")));
        }
        change(&mut operator);
        (operator.failures, operator.locked_until) = (0, None);
        store::update(&mut tx, &operator).await?;
        store::delete_others(&mut tx, name, None).await?;
        tx.commit().await?;
        self.forget(&operator.subject(), None);
        Ok(operator)
    }

    /// Whether callers have to prove who they are.
    pub(crate) fn mode(&self) -> AuthMode {
        self.0.mode
    }

    /// The names of the providers at which people can log in.
    pub(crate) fn providers(&self) -> Vec<String> {
        self.0.providers.iter().map(|provider| provider.options.name.clone()).collect()
    }

    /// For how long a browser keeps the cookie of a session.
    pub(crate) fn session_seconds(&self) -> u64 {
        self.0.session_max.as_secs()
    }

    /// Forgets the sessions of a caller in this process, but for one.
    pub(super) fn forget(&self, subject: &str, kept: Option<&[u8; 32]>) {
        let stays = |id: &[u8; 32], session: &Arc<Remembered>| {
            kept == Some(id) || *session.identity.subject != *subject
        };
        self.0.remembered.retain(stays);
    }

    /// Counts a login by its outcome.
    pub(super) fn count(&self, way: &'static str, outcome: &'static str) {
        let labels = [("way", way), ("outcome", outcome)];
        self.0.metrics.counter("auth_logins_total", "Logins by their outcome.", &labels).inc();
    }
}

impl Operator {
    /// The account of nobody: an unknown name does the same work as a known one.
    pub(super) fn nobody() -> Self {
        Self {
            name: String::new(),
            tenant: Tenant::default(),
            role: Role::Readonly,
            hash: None,
            link: None,
            created_at: Timestamp::from_micros(0),
            disabled_at: None,
            failures: 0,
            locked_until: None,
        }
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.name.is_empty()
    }

    /// Whether the account is locked at a moment.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| until > now)
    }

    /// The name of the caller.
    pub(super) fn subject(&self) -> Arc<str> {
        subject(&self.name)
    }
}

/// The name of a caller with a session.
pub(super) fn subject(name: &str) -> Arc<str> {
    format!("operator:{name}").into()
}

/// The caller with a session.
pub(super) fn identity(name: &str, tenant: &Tenant, role: Role, credential: &str) -> Arc<Identity> {
    let scopes = pando_resilience::Scopes::of_role(role);
    Arc::new(Identity {
        tenant: tenant.clone(),
        subject: subject(name),
        scopes,
        credential: credential.into(),
    })
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

impl fmt::Debug for LoginWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::Provider { .. } => "Provider",
        })
    }
}

impl fmt::Debug for Operators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operators")
    }
}
