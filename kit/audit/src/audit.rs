//! Recording entries.

use std::fmt;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use pando_clock::Clock;
use pando_database::{Database, DatabaseError, Transaction};
use pando_resilience::Call;
use pando_telemetry::{Counter, Gauge, Metrics};

use crate::entry::StoredEntry;
use crate::refusals::Refusals;
use crate::{AuditOptions, Entry, store};

/// An error of the audit log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A setting cannot be used.
    #[error("audit setting {setting}: {reason}")]
    BadSetting {
        /// The option, as the settings file names it.
        setting: &'static str,
        /// Why not.
        reason: String,
    },
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The audit log of a database. Cloning shares it.
#[derive(Clone)]
pub struct Audit(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) options: AuditOptions,
    pub(crate) unsealed: Gauge,
    pub(crate) unsealed_age: Gauge,
    pub(crate) sealed: Counter,
    pub(crate) seal_failures: Counter,
    pub(crate) refusals: Mutex<Refusals>,
    pub(crate) refused_named: Counter,
    pub(crate) refused_unnamed: Counter,
    shortened: Counter,
}

impl Audit {
    /// On a database that was migrated.
    pub fn new(
        database: &Database,
        clock: &Clock,
        metrics: &Metrics,
        options: AuditOptions,
    ) -> Result<Self, AuditError> {
        options.check().map_err(|(setting, reason)| AuditError::BadSetting { setting, reason })?;
        Ok(Self(Arc::new(Inner {
            database: database.clone(),
            clock: clock.clone(),
            options,
            unsealed: metrics.gauge(
                "audit_unsealed",
                "Entries of the audit log that are not sealed yet",
                &[],
            ),
            unsealed_age: metrics.gauge(
                "audit_unsealed_age_seconds",
                "For how long the oldest entry that is not sealed has waited",
                &[],
            ),
            sealed: metrics.counter("audit_sealed", "Entries of the audit log that were sealed", &[]),
            seal_failures: metrics.counter("audit_seal_failures", "Rounds of sealing that failed", &[]),
            refusals: Mutex::default(),
            refused_named: refused(metrics, "recorded"),
            refused_unnamed: refused(metrics, "counted"),
            shortened: metrics.counter("audit_shortened", "Entries that were too long, and shortened", &[]),
        })))
    }

    /// Whether the settings ask for changes to be recorded.
    pub fn is_enabled(&self) -> bool {
        self.0.options.enabled
    }

    /// Records an entry in the transaction of the change. The insert travels with the transaction's next statement, or with the
    /// commit, and that call reports its error. A loop over many changes uses [`record_all`](Self::record_all), or calls
    /// [`Transaction::make_room`] each time.
    pub fn record(&self, tx: &mut Transaction, call: &Call, entry: &Entry<'_>) {
        let stored = self.stored(call, entry);
        tx.insert_later(&store::RECORD, stored.into_values());
    }

    /// Records many entries in the transaction of their changes, in one statement.
    pub fn record_all<'a>(
        &'a self,
        tx: &'a mut Transaction,
        call: &'a Call,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<(), AuditError>> {
        Box::pin(async move {
            let rows = entries.iter().map(|entry| self.stored(call, entry).into_values()).collect();
            tx.bulk_insert(&store::RECORD, rows).await?;
            Ok(())
        })
    }

    /// Records an entry in a transaction of its own: for a refusal or a read, which changes nothing.
    pub fn record_alone<'a>(
        &'a self,
        call: &'a Call,
        entry: &'a Entry<'a>,
    ) -> BoxFuture<'a, Result<(), AuditError>> {
        Box::pin(async move {
            let mut tx = self.0.database.transaction(call).await?;
            self.record(&mut tx, call, entry);
            tx.commit().await?;
            Ok(())
        })
    }

    pub(crate) fn stored(&self, call: &Call, entry: &Entry<'_>) -> StoredEntry {
        let (stored, shortened) = StoredEntry::new(call, entry, &self.0.clock, &self.0.options);
        if shortened {
            self.0.shortened.inc();
        }
        stored
    }
}

fn refused(metrics: &Metrics, outcome: &str) -> Counter {
    let help = "Refused requests that have an entry in the audit log, and those that are only counted there";
    metrics.counter("audit_refused_requests", help, &[("outcome", outcome)])
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("options", &self.0.options).finish_non_exhaustive()
    }
}
