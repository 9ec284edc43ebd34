//! Requests that were refused: entries within a budget, and a count of the rest.
//!
//! Strangers cause them, as many as they like. So a request only leaves its entry in memory, and a task writes what it finds there; an
//! entry beyond the budget of its minute is counted, and one entry says how many those were.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use pando_clock::Timestamp;
use pando_resilience::{Call, Identity};
use serde_json::json;

use crate::entry::StoredEntry;
use crate::{Audit, AuditError, Entry, EntryResult, store};

/// How long one transaction may take.
const BUDGET: Duration = Duration::from_secs(10);
/// How often entries are written.
const WRITE_EVERY: Duration = Duration::from_secs(1);
const MINUTE_MICROS: i64 = 60_000_000;

/// A request that was refused because of its caller.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The operation, such as `POST /api/v1/tasks/delayed`.
    pub operation: &'a str,
    /// The code of the answer, such as `forbidden`.
    pub code: &'a str,
    /// Why, in words.
    pub reason: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// The address from which it came.
    pub client: IpAddr,
    /// The caller, if a credential proves who that is.
    pub caller: Option<&'a Identity>,
}

/// Refused requests that are not written yet.
#[derive(Default)]
pub(crate) struct Refusals {
    minute: i64,
    /// The entries of this minute: of strangers, and of known callers. Each has a budget, so that strangers cannot hide the attempts
    /// of a caller.
    taken: [usize; 2],
    waiting: Vec<StoredEntry>,
    /// Requests that no entry names, and the minute of the first of them.
    unnamed: u64,
    unnamed_since: i64,
}

impl Refusals {
    fn count(&mut self, requests: u64, minute: i64) {
        if self.unnamed == 0 {
            self.unnamed_since = minute;
        }
        self.unnamed = self.unnamed.saturating_add(requests);
    }
}

impl Audit {
    /// Notes that a request was refused. It only writes to memory, and is quick.
    pub fn note_refused(&self, refused: &Refused<'_>) {
        let minute = minute(self.0.clock.now());
        let kind = usize::from(refused.caller.is_some());
        let budget = self.0.options.refused_per_minute;
        let mut refusals = self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.minute != minute {
            (refusals.minute, refusals.taken) = (minute, [0; 2]);
        }
        // While the database is away, the entries of more than one minute may wait.
        if refusals.taken[kind] >= budget || refusals.waiting.len() >= budget * 2 {
            refusals.count(1, minute);
            self.0.refused_unnamed.inc();
            return;
        }
        refusals.taken[kind] += 1;
        let entry = self.entry_of(refused);
        refusals.waiting.push(entry);
    }

    fn entry_of(&self, refused: &Refused<'_>) -> StoredEntry {
        let mut call = Call::internal(refused.request_id, BUDGET);
        call.identity = refused.caller.cloned().unwrap_or_default();
        call.client = Some(refused.client);
        self.stored(
            &call,
            &Entry {
                action: "request_refused",
                resource: "operation",
                resource_id: refused.operation,
                result: EntryResult::Refused,
                details: json!({"code": refused.code, "reason": refused.reason}),
            },
        )
    }

    /// Writes the entries of refused requests; and, when their minute is over or `now`, the number of those that have none.
    pub fn write_refused(&self, now: bool) -> BoxFuture<'_, Result<(), AuditError>> {
        Box::pin(async move {
            let minute = minute(self.0.clock.now());
            let (mut entries, unnamed) = {
                let mut refusals = self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner);
                let is_over = now || refusals.unnamed_since != minute;
                let unnamed = if is_over { std::mem::take(&mut refusals.unnamed) } else { 0 };
                (std::mem::take(&mut refusals.waiting), unnamed)
            };
            let named = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            let call = Call::internal("audit.refused", BUDGET);
            if unnamed > 0 {
                let details = json!({"more": unnamed});
                let (action, resource) = ("requests_refused", "operation");
                let result = EntryResult::Refused;
                let entry = Entry { action, resource, resource_id: "", result, details };
                entries.push(self.stored(&call, &entry));
            }
            if entries.is_empty() {
                return Ok(());
            }
            let written = async {
                let mut tx = self.0.database.transaction(&call).await?;
                let rows = entries.into_iter().map(StoredEntry::into_values).collect();
                tx.bulk_insert(&store::RECORD, rows).await?;
                tx.commit().await
            };
            match written.await {
                Ok(_) => self.0.refused_named.inc_by(named),
                Err(error) => {
                    // Their number is not lost.
                    let mut refusals = self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner);
                    refusals.count(named.saturating_add(unnamed), minute);
                    self.0.refused_unnamed.inc_by(named);
                    return Err(error.into());
                }
            }
            Ok(())
        })
    }

    /// Writes the entries of refused requests every second, until the last clone of this is dropped.
    pub fn keep_refused_written(&self) {
        let weak = Arc::downgrade(&self.0);
        pando_telemetry::spawn("audit.refused", async move {
            loop {
                tokio::time::sleep(WRITE_EVERY).await;
                let Some(inner) = weak.upgrade() else { return };
                if let Err(error) = Self(inner).write_refused(false).await {
                    tracing::warn!(%error, "refused requests could not be recorded, and are only counted");
                }
            }
        });
    }

    /// Whether the settings ask for refused requests to be recorded.
    pub fn records_refused(&self) -> bool {
        self.is_enabled() && self.0.options.refused_per_minute > 0
    }
}

fn minute(now: Timestamp) -> i64 {
    now.as_micros().div_euclid(MINUTE_MICROS)
}
