//! Recognises callers by their credentials.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pando_clock::Clock;
use pando_database::Database;
use pando_http::{Authentication, Code, Credential, Problem, TokenCover};
use pando_resilience::{Call, Identity};
use pando_telemetry::Metrics;

use crate::issuer::Issuer;
use crate::key_set::Fetch;
use crate::keys::is_key;
use crate::people::proves;
use crate::remembered::{Memory, Remembered};
use crate::token::{Tokens, Unverified, is_token};
use crate::{ApiKeys, AuthError, AuthOptions, DevelopmentIssuer, Operators, Refusal, ring_provider};

/// How long the verification of one credential may take.
const BUDGET: Duration = Duration::from_secs(5);
/// A token that counts for longer is verified again after this: its issuer may have withdrawn the key.
const TOKEN_KEPT_MAX: Duration = Duration::from_secs(300);

/// Recognises callers. Cloning shares it.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    tokens: Tokens,
    keys: ApiKeys,
    operators: Operators,
    key_kept: Duration,
    memory: Memory,
    cover: TokenCover,
    metrics: Metrics,
}

impl Credentials {
    /// Recognises callers with these settings. `fetch` reads the keys of issuers, and `cover` hides positions from callers.
    pub fn new(
        options: &AuthOptions,
        (development, operators): (Option<&DevelopmentIssuer>, &Operators),
        fetch: &Fetch,
        (database, clock, metrics): (&Database, &Clock, &Metrics),
        cover: TokenCover,
    ) -> Result<Self, AuthError> {
        options.check()?;
        ring_provider::install();
        let refresh = Duration::from_secs(options.refresh_seconds);
        let issuers = options.issuers.iter().map(|issuer| Issuer::new(issuer, fetch, refresh));
        let own = development.map(DevelopmentIssuer::issuer);
        Ok(Self(Arc::new(Inner {
            tokens: Tokens { issuers: issuers.chain(own).collect(), leeway_seconds: options.leeway_seconds },
            keys: ApiKeys::new(database, clock),
            operators: operators.clone(),
            key_kept: Duration::from_millis(options.key_recheck_ms),
            memory: Memory::new(options.remembered_max)?,
            cover,
            metrics: metrics.clone(),
        })))
    }

    /// As the edge asks for it.
    pub fn authentication(&self) -> Authentication {
        let (recalling, verifying) = (self.clone(), self.clone());
        Authentication {
            recall: Arc::new(move |credential, client| match credential {
                Credential::Header(text) => recalling.0.memory.recall(text, client),
                Credential::Session(token) => recalling.0.operators.recall(token),
            }),
            verify: Arc::new(move |credential, client| {
                let credentials = verifying.clone();
                Box::pin(async move {
                    match credential {
                        Credential::Header(text) => credentials.verify(&text, client).await,
                        Credential::Session(token) => credentials.verify_session(&token).await,
                    }
                })
            }),
            proves: Arc::new(proves),
            cover: self.0.cover.clone(),
        }
    }

    async fn verify(&self, credential: &str, client: IpAddr) -> Result<Arc<Identity>, Problem> {
        let (kind, verified) = match () {
            () if is_key(credential) => ("key", self.verify_key(credential, client).await),
            () if is_token(credential) => ("token", self.verify_token(credential).await),
            () => ("unknown", Err(refused(Refusal::Unreadable))),
        };
        let verified = self.counted(kind, verified)?;
        let identity = verified.identity.clone();
        self.0.memory.remember(credential, verified);
        Ok(identity)
    }

    async fn verify_session(&self, token: &str) -> Result<Arc<Identity>, Problem> {
        let verified = self.0.operators.verify(token).await.map_err(|error| match error {
            AuthError::Refused(refusal) => refused(refusal),
            error => {
                ("error", Problem::unavailable("sessions cannot be read at the moment").with_source(error))
            }
        });
        self.counted("session", verified)
    }

    /// Counts a verification by its outcome.
    fn counted<T>(&self, kind: &str, verified: Result<T, (&'static str, Problem)>) -> Result<T, Problem> {
        let outcome = verified.as_ref().err().map_or("ok", |(outcome, _)| outcome);
        let labels = [("kind", kind), ("outcome", outcome)];
        self.0.metrics.counter("auth_verifications_total", "Credentials that were verified.", &labels).inc();
        verified.map_err(|(_, problem)| problem)
    }

    async fn verify_key(&self, text: &str, client: IpAddr) -> Result<Remembered, (&'static str, Problem)> {
        let call = Call::internal("auth.key", BUDGET);
        let (key, counts) = self.0.keys.verify(&call, text, client).await.map_err(|error| match error {
            AuthError::Refused(refusal) => refused(refusal),
            error => {
                ("error", Problem::unavailable("API keys cannot be read at the moment").with_source(error))
            }
        })?;
        let networks = key.networks.clone();
        let identity = Arc::new(key.identity());
        // The secret was right, so the log may say whose key this is.
        counts.map_err(|refusal| {
            let (outcome, problem) = refused(refusal);
            (outcome, problem.with_caller(identity.clone()))
        })?;
        Ok(Remembered { identity, until: Instant::now() + self.0.key_kept, networks })
    }

    async fn verify_token(&self, text: &str) -> Result<Remembered, (&'static str, Problem)> {
        let verified = self.0.tokens.verify(text).await.map_err(|error| match error {
            Unverified::Refused(refusal) => refused(refusal),
            Unverified::NoKeys(reason) => {
                ("error", Problem::unavailable(format!("the keys of the issuer cannot be read: {reason}")))
            }
        })?;
        let until = Instant::now() + verified.remaining.min(TOKEN_KEPT_MAX);
        Ok(Remembered { identity: Arc::new(verified.identity), until, networks: Vec::new() })
    }
}

fn refused(refusal: Refusal) -> (&'static str, Problem) {
    (refusal.name(), Problem::new(Code::Unauthenticated, refusal.to_string()))
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}
