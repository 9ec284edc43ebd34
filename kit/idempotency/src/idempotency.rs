//! Decides whether a request may run or gets the first answer again.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use pando_clock::{Clock, Timestamp};
use pando_database::{Database, DatabaseError, Transaction};
use pando_resilience::{Call, Tenant};
use pando_telemetry::{Counter, Metrics};

use crate::store::{self, Record};
use crate::{IdempotencyOptions, Outcome, Request, Scope, Ticket};

/// How long one transaction of the sweeper may take.
const SWEEP_BUDGET: Duration = Duration::from_secs(10);

/// Why there is no answer, neither a new one nor the first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdempotencyError {
    /// A setting cannot be used.
    #[error("idempotency setting {setting}: {reason}")]
    BadSetting {
        /// The option, as the settings file names it.
        setting: &'static str,
        /// Why not.
        reason: String,
    },
    /// The key was not claimed in this transaction, which is a mistake of the program.
    #[error("an answer was stored for a key that was not claimed")]
    NotClaimed,
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Returns the answer that replaces a kept one, or none if the kept one stays.
pub type Rewrite<'a> =
    dyn Fn(Outcome) -> BoxFuture<'a, Result<Option<Outcome>, DatabaseError>> + Send + Sync + 'a;

/// The decision about a request with a key.
#[derive(Debug)]
pub enum Admission {
    /// It is the first: run it.
    First(Ticket),
    /// It was answered before: this is the answer.
    Replay(Outcome),
    /// The first one is being worked on: 409, and try again in a moment.
    InFlight,
    /// The key was used for something else: 422.
    OtherRequest,
}

/// Remembers answers. Cloning shares it.
#[derive(Clone)]
pub struct Idempotency(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) options: IdempotencyOptions,
    /// The keys this process works on. Other processes are held up by the key's row.
    pub(crate) in_flight: Mutex<HashSet<(Scope, String)>>,
    first: Counter,
    replayed: Counter,
    refused_in_flight: Counter,
    refused_other: Counter,
}

impl Idempotency {
    /// On a database that was migrated.
    pub fn new(
        database: &Database,
        clock: &Clock,
        metrics: &Metrics,
        options: IdempotencyOptions,
    ) -> Result<Self, IdempotencyError> {
        options.check().map_err(|(setting, reason)| IdempotencyError::BadSetting { setting, reason })?;
        let counter = |outcome| {
            let help = "Requests with an idempotency key, by what became of them";
            metrics.counter("idempotency_requests", help, &[("outcome", outcome)])
        };
        Ok(Self(Arc::new(Inner {
            database: database.clone(),
            clock: clock.clone(),
            options,
            in_flight: Mutex::default(),
            first: counter("first"),
            replayed: counter("replayed"),
            refused_in_flight: counter("in_flight"),
            refused_other: counter("other_request"),
        })))
    }

    /// Looks a request up before anything is done for it. `First` is an opinion: the ticket's
    /// [`claim`](Ticket::claim), inside of the transaction of the effect, decides.
    pub fn admit<'a>(
        &'a self,
        call: &'a Call,
        request: Request,
    ) -> BoxFuture<'a, Result<Admission, IdempotencyError>> {
        Box::pin(self.look_up(call, request))
    }

    async fn look_up(&self, call: &Call, request: Request) -> Result<Admission, IdempotencyError> {
        let read = self.0.database.read_primary(call);
        let found = store::find(&read, &request, self.0.clock.now()).await?;
        if let Some(known) = found.and_then(|record| self.known(&request, record)) {
            return Ok(known);
        }
        let place = (request.scope.clone(), request.key.as_str().to_owned());
        if !self.lock().insert(place) {
            self.0.refused_in_flight.inc();
            return Ok(Admission::InFlight);
        }
        Ok(Admission::First(Ticket::new(self.clone(), request)))
    }

    /// The consequence of a record for a request; `None` if the record has no answer.
    pub(crate) fn known(&self, request: &Request, record: Record) -> Option<Admission> {
        if record.hash != request.hash {
            self.0.refused_other.inc();
            return Some(Admission::OtherRequest);
        }
        record.outcome.map(|outcome| {
            self.0.replayed.inc();
            Admission::Replay(outcome)
        })
    }

    pub(crate) fn count_first(&self) {
        self.0.first.inc();
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<(Scope, String)>> {
        self.0.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn expiry(&self, now: Timestamp) -> Timestamp {
        let micros = self.0.options.keep_hours.saturating_mul(3_600_000_000);
        now.plus_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Puts `outcome` in the place of every kept one about a subject of a tenant; how many. Their requests stay known: a repeat gets the new
    /// outcome, and does nothing.
    pub async fn replace(
        &self,
        tx: &mut Transaction,
        about: (&Tenant, &str),
        outcome: &Outcome,
    ) -> Result<u64, IdempotencyError> {
        Ok(store::replace(tx, about, outcome).await?)
    }

    /// Gives every kept answer of the caller's tenant that is about no subject to `rewrite`, and keeps what that makes of it in its place; how
    /// many.
    ///
    /// Reads every answer there is, some at a time and outside of any transaction: for what is seldom and must be
    /// thorough.
    pub fn rewrite<'a>(
        &'a self,
        call: &'a Call,
        rewrite: &'a Rewrite<'_>,
    ) -> BoxFuture<'a, Result<u64, IdempotencyError>> {
        Box::pin(self.rewrite_each(call, rewrite))
    }

    async fn rewrite_each(&self, call: &Call, rewrite: &Rewrite<'_>) -> Result<u64, IdempotencyError> {
        let (mut last, mut rewritten) = (None, 0);
        loop {
            let page = store::page(&self.0.database.read_primary(call), call.tenant(), last.as_ref()).await?;
            let Some((end, _)) = page.last() else { return Ok(rewritten) };
            last = Some(end.clone());
            for (request, outcome) in &page {
                let Some(other) = rewrite(outcome.clone()).await? else { continue };
                let mut tx = self.0.database.transaction(call).await?;
                rewritten += u64::from(store::store(&mut tx, request, &other, None).await?);
                tx.commit().await?;
            }
        }
    }

    /// Deletes expired answers, some at a time; how many.
    pub async fn sweep(&self) -> Result<u64, IdempotencyError> {
        let batch = self.0.options.sweep_batch_max;
        let mut swept = 0;
        loop {
            let call = Call::internal("idempotency.sweep", SWEEP_BUDGET);
            let mut tx = self.0.database.transaction(&call).await?;
            let count = store::sweep(&mut tx, self.0.clock.now(), batch).await?;
            tx.commit().await?;
            swept += count;
            if count < u64::try_from(batch).unwrap_or(u64::MAX) {
                return Ok(swept);
            }
        }
    }

    /// Sweeps now and then, until the last clone of this is dropped.
    pub fn keep_swept(&self) {
        let every = Duration::from_secs(self.0.options.sweep_seconds);
        let weak = Arc::downgrade(&self.0);
        pando_telemetry::spawn("idempotency.sweeper", async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(inner) = weak.upgrade() else { return };
                if let Err(error) = Self(inner).sweep().await {
                    tracing::warn!(%error, "expired answers could not be swept");
                }
            }
        });
    }
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency").field("options", &self.0.options).finish_non_exhaustive()
    }
}
