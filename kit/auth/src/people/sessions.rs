//! Sessions: random tokens in cookies. The database has a hash of each.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pando_clock::Timestamp;
use pando_database::{DatabaseError, Transaction};
use pando_resilience::{Call, Identity, Role, Tenant};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::attempts::micros;
use super::operators::{Inner, identity};
use super::{LoginError, Operator, Operators, store};
use crate::{AuthError, Refusal};

/// So that each hash of a token is that of nothing else.
const ID_CONTEXT: &str = "pando 2026-11 session id";
const CSRF_CONTEXT: &str = "pando 2026-11 session csrf token";
/// How many sessions an operator has at most; a further one ends that which was not used for the longest time.
const SESSIONS_MAX: i64 = 50;
/// The use of a session is noted this often within the time after which an idle one ends.
const NOTED_WITHIN_IDLE: u32 = 30;
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const SWEEP_BUDGET: Duration = Duration::from_secs(10);
const SWEEP_BATCH: i64 = 1_000;
/// How long the verification of a session may take.
const BUDGET: Duration = Duration::from_secs(5);

/// A session, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) operator: String,
    pub(crate) role: Role,
    pub(crate) tenant: Tenant,
    /// When it ends although it is used.
    pub(crate) expires_at: Timestamp,
}

/// A session that was verified a short time ago.
pub(super) struct Remembered {
    pub(super) identity: Arc<Identity>,
    until: Instant,
}

/// A session that has begun, with the token for its cookie.
pub(crate) struct Begun {
    pub(crate) session: Session,
    pub(crate) token: Zeroizing<String>,
}

impl Operators {
    /// A session for an operator. It is stored with the commit of `tx`. A token that the browser had before is of no use any more.
    pub(super) async fn begin_session(
        &self,
        tx: &mut Transaction,
        operator: &Operator,
        before: Option<&str>,
    ) -> Result<Begun, LoginError> {
        let now = self.0.clock.now();
        let expires_at = now.plus_micros(micros(self.0.session_max));
        let token = random_text().ok_or(LoginError::Busy)?;
        let id = id_of(&token);
        if let Some(before) = before {
            self.end(tx, &id_of(before)).await?;
        }
        store::insert_session(tx, &id, operator, (now, expires_at, SESSIONS_MAX)).await?;
        let Operator { name, role, tenant, .. } = operator.clone();
        Ok(Begun { session: Session { operator: name, role, tenant, expires_at }, token })
    }

    /// The session of a token, if it counts.
    pub(crate) async fn session(&self, call: &Call, token: &str) -> Result<Option<Session>, DatabaseError> {
        let (id, now) = (id_of(token), self.0.clock.now());
        let found = store::find_session(&self.0.database.read_primary(call), &id).await?;
        let idle_since = now.plus_micros(-micros(self.0.session_idle));
        let counts = |it: &store::StoredSession| {
            !it.is_disabled && it.expires_at > now && it.last_seen_at > idle_since
        };
        let Some(found) = found.filter(counts) else { return Ok(None) };
        if found.last_seen_at <= now.plus_micros(-micros(self.0.session_idle / NOTED_WITHIN_IDLE)) {
            self.note_use(call, &id, now).await;
        }
        let store::StoredSession { operator, role, tenant, expires_at, .. } = found;
        Ok(Some(Session { operator, role, tenant, expires_at }))
    }

    /// The caller, if the session was verified a short time ago.
    pub(crate) fn recall(&self, token: &str) -> Option<Arc<Identity>> {
        let known = self.0.remembered.get(&id_of(token))?;
        (known.until > Instant::now()).then(|| known.identity.clone())
    }

    /// The caller of a session.
    pub(crate) async fn verify(&self, token: &str) -> Result<Arc<Identity>, AuthError> {
        let session = self.session(&Call::internal("auth.session", BUDGET), token).await?;
        let session = session.ok_or(Refusal::Session)?;
        let left = session.expires_at.as_micros() - self.0.clock.now().as_micros();
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        let kept = self.0.recheck.min(left).min(self.0.session_idle);
        let identity = identity(&session.operator, &session.tenant, session.role, &shown(token));
        let remembered = Remembered { identity: identity.clone(), until: Instant::now() + kept };
        self.0.remembered.insert(id_of(token), Arc::new(remembered));
        Ok(identity)
    }

    /// Ends a session.
    pub(crate) async fn log_out(&self, call: &Call, token: &str) -> Result<(), LoginError> {
        let mut tx = self.0.database.transaction(call).await?;
        self.end(&mut tx, &id_of(token)).await?;
        tx.commit().await?;
        self.0.remembered.remove(&id_of(token));
        Ok(())
    }

    /// Ends every other session of the operator of a session.
    pub(super) async fn end_others(
        &self,
        tx: &mut Transaction,
        operator: &Operator,
        token: &str,
    ) -> Result<(), LoginError> {
        store::delete_others(tx, &operator.name, Some(&id_of(token))).await?;
        let (operators, subject, id) = (self.clone(), operator.subject(), id_of(token));
        tx.after_commit(move || operators.forget(&subject, Some(&id)));
        Ok(())
    }

    /// Deletes sessions that have ended.
    pub async fn sweep(&self) -> Result<u64, DatabaseError> {
        let now = self.0.clock.now();
        let idle_since = now.plus_micros(-micros(self.0.session_idle));
        let mut swept = 0;
        loop {
            let call = Call::internal("auth.sweep", SWEEP_BUDGET);
            let mut tx = self.0.database.transaction(&call).await?;
            let count = store::sweep(&mut tx, (now, idle_since), SWEEP_BATCH).await?;
            tx.commit().await?;
            swept += count;
            if count < SWEEP_BATCH.unsigned_abs() {
                return Ok(swept);
            }
        }
    }

    /// Sweeps now and then, until the last clone of this is dropped.
    pub fn keep_swept(&self) {
        let weak: Weak<Inner> = Arc::downgrade(&self.0);
        pando_telemetry::spawn("auth.sweeper", async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(inner) = weak.upgrade() else { return };
                if let Err(error) = Self(inner).sweep().await {
                    tracing::warn!(%error, "ended sessions could not be swept");
                }
            }
        });
    }

    async fn end(&self, tx: &mut Transaction, id: &[u8; 32]) -> Result<(), DatabaseError> {
        store::delete_session(tx, id).await?;
        let (operators, id) = (self.clone(), *id);
        tx.after_commit(move || drop(operators.0.remembered.remove(&id)));
        Ok(())
    }

    /// Nobody is refused because this fails.
    async fn note_use(&self, call: &Call, id: &[u8; 32], now: Timestamp) {
        let noted = async {
            let mut tx = self.0.database.transaction(call).await?;
            store::session_seen(&mut tx, id, now).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::debug!(error = %error, "the use of a session could not be noted");
        }
    }
}

/// The token that a page of ours sends with a change: it follows from the token of the session, which no page can read.
pub(crate) fn csrf_token(session: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(blake3::derive_key(CSRF_CONTEXT, session.as_bytes()))
}

/// Whether this is the token of the session.
pub(crate) fn proves(session: &str, token: &str) -> bool {
    csrf_token(session).as_bytes().ct_eq(token.as_bytes()).into()
}

/// 256 random bits.
pub(super) fn random_text() -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut bytes[..]).ok()?;
    Some(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&bytes[..])))
}

/// The name of a session in the audit log: the beginning of its id, which nobody can log in with.
fn shown(token: &str) -> String {
    let beginning = id_of(token);
    format!("session:{}", beginning[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// A token is random and long: a slow hash would protect it no better.
fn id_of(token: &str) -> [u8; 32] {
    blake3::derive_key(ID_CONTEXT, token.as_bytes())
}
