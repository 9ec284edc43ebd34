//! Removes what jobs contain about a person.

use futures_util::future::BoxFuture;
use pando_database::DatabaseError;
use pando_resilience::Call;
use uuid::Uuid;

use crate::store::forget as store;
use crate::{Mentions, Queue, QueueError};

/// How many jobs are read at once, at most, and how many characters.
const PAGE: (usize, i64) = (500, 1 << 22);
/// How many callbacks are read at once.
const CALLBACKS: usize = 100;

/// Asks what names the person now: another person may have taken an address over since the search began.
pub type StillNames<'a> = dyn Fn() -> BoxFuture<'a, Result<Mentions, DatabaseError>> + Send + Sync + 'a;

impl Queue {
    /// Empties every job of the caller's tenant that mentions a person: payload, progress, result, cursor, following jobs, error and unique key.
    /// Recurring jobs and callbacks of batches that mention the person are deleted. Unfinished jobs are cancelled, because they
    /// cannot run without their data. `spared` is the job that does this work. Returns the number of emptied jobs.
    ///
    /// It reads every job, some megabytes at a time and outside of any transaction, and writes each job in a transaction of its
    /// own. Use it for rare operations that must be thorough.
    ///
    /// Other people may take names over during the search: `still` is asked about each job after the job was read, so that no
    /// job of a new owner is emptied.
    pub async fn forget_mentions(
        &self,
        call: &Call,
        mentions: &Mentions,
        spared: Uuid,
        still: &StillNames<'_>,
    ) -> Result<u64, QueueError> {
        let (mut forgotten, mut after) = (0, Uuid::nil());
        while !mentions.is_empty() {
            let read = self.database().read_primary(call);
            let page = store::contents(&read, call.tenant(), (after, spared), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for job in page.iter().filter(|job| job.mention(mentions)) {
                if job.mention(&still().await?) {
                    forgotten += self.empty(call, job.id).await?;
                }
            }
        }
        if !mentions.is_empty() {
            forgotten += self.forget_recurring(call, mentions, still).await?;
            forgotten += self.forget_callbacks(call, mentions, still).await?;
        }
        Ok(forgotten)
    }

    /// Takes the callbacks that mention somebody from their batches: an address to call may name a person.
    async fn forget_callbacks(
        &self,
        call: &Call,
        mentions: &Mentions,
        still: &StillNames<'_>,
    ) -> Result<u64, QueueError> {
        let (mut forgotten, mut after) = (0, Uuid::nil());
        loop {
            let read = self.database().read_primary(call);
            let page = store::callbacks(&read, call.tenant(), after, CALLBACKS).await?;
            let Some((last, _)) = page.last() else { return Ok(forgotten) };
            after = *last;
            for (id, callback) in page.iter().filter(|(_, callback)| mentions.stand_in_json(callback)) {
                if !still().await?.stand_in_json(callback) {
                    continue;
                }
                let mut tx = self.database().transaction(call).await?;
                forgotten += store::drop_callback(&mut tx, *id).await?;
                tx.commit().await?;
            }
        }
    }

    /// Calls a job off if it has not ended, and takes out what it knows; how many jobs that were.
    async fn empty(&self, call: &Call, id: Uuid) -> Result<u64, QueueError> {
        match self.cancel(call, id).await {
            Ok(_) | Err(QueueError::Ended { .. } | QueueError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let mut tx = self.database().transaction(call).await?;
        let emptied = store::empty(&mut tx, id).await?;
        tx.commit().await?;
        self.changed(id);
        Ok(emptied)
    }
}
