//! The right to run a request, which one holder has at a time.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use pando_database::Transaction;
use pando_resilience::Call;

use crate::{Admission, Idempotency, IdempotencyError, Outcome, Request, store};

/// The right to run a request that has not been answered. Dropped: the next one may try.
pub struct Ticket {
    idempotency: Idempotency,
    request: Request,
    /// It was counted as the first: a refusal claims the key a second time to be kept.
    counted: AtomicBool,
}

/// The state of the key that the transaction of the effect finds.
#[derive(Debug)]
pub enum Claim {
    /// The key is this transaction's: go on, and [`store`](Ticket::store) the answer before the commit.
    First,
    /// Another process was first: roll back, and answer with this.
    Replay(Outcome),
    /// Another process was first, with another request: roll back, and answer 422.
    OtherRequest,
    /// The key was committed without an answer, which no program of ours does: 409.
    InFlight,
}

impl Ticket {
    pub(crate) fn new(idempotency: Idempotency, request: Request) -> Self {
        Self { idempotency, request, counted: AtomicBool::new(false) }
    }

    /// The request it is for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Claims the key for the transaction of the effect, as its first statement. A second transaction with the same key waits here
    /// for the end of the first one. If the first one committed, the second finds its answer; if it rolled back, the second becomes
    /// the first.
    pub fn claim<'a>(&'a self, tx: &'a mut Transaction) -> BoxFuture<'a, Result<Claim, IdempotencyError>> {
        Box::pin(self.claim_in(tx))
    }

    async fn claim_in(&self, tx: &mut Transaction) -> Result<Claim, IdempotencyError> {
        let now = self.idempotency.0.clock.now();
        if store::claim(tx, &self.request, now, self.idempotency.expiry(now)).await? {
            if !self.counted.swap(true, Ordering::Relaxed) {
                self.idempotency.count_first();
            }
            return Ok(Claim::First);
        }
        let Some(record) = store::find_in(tx, &self.request, now).await? else { return Ok(Claim::InFlight) };
        Ok(match self.idempotency.known(&self.request, record) {
            Some(Admission::Replay(outcome)) => Claim::Replay(outcome),
            Some(Admission::OtherRequest) => Claim::OtherRequest,
            _ => Claim::InFlight,
        })
    }

    /// Writes the answer into the transaction of the effect, which has claimed the key: both are there, or neither.
    /// A body that is too long to keep is an error before anything is committed.
    pub async fn store(&self, tx: &mut Transaction, outcome: &Outcome) -> Result<(), IdempotencyError> {
        self.store_about(tx, outcome, None).await
    }

    /// Like [`store`](Ticket::store), for an answer that [`Idempotency::replace`] may have to take back: it says
    /// something about this subject.
    pub fn store_about<'a>(
        &'a self,
        tx: &'a mut Transaction,
        outcome: &'a Outcome,
        subject: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), IdempotencyError>> {
        Box::pin(self.store_in(tx, outcome, subject))
    }

    async fn store_in(
        &self,
        tx: &mut Transaction,
        outcome: &Outcome,
        subject: Option<&str>,
    ) -> Result<(), IdempotencyError> {
        if !self.fits(outcome) {
            return Err(IdempotencyError::BadSetting {
                setting: "body_bytes_max",
                reason: format!("an answer of {} bytes cannot be kept", outcome.body.len()),
            });
        }
        let stored = store::store(tx, &self.request, outcome, subject).await?;
        if stored { Ok(()) } else { Err(IdempotencyError::NotClaimed) }
    }

    /// Keeps the outcome of a request that was refused, in a transaction of its own. The caller decides which refusals are kept: an
    /// error of the server, or a limit, may be over by the time of the repeat. Nothing is kept if another process was first.
    pub fn keep_refusal<'a>(
        &'a self,
        call: &'a Call,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<(), IdempotencyError>> {
        Box::pin(self.store_refusal(call, outcome))
    }

    async fn store_refusal(&self, call: &Call, outcome: &Outcome) -> Result<(), IdempotencyError> {
        if !self.fits(outcome) {
            return Ok(());
        }
        let mut tx = self.idempotency.0.database.transaction(call).await?;
        if let Claim::First = self.claim(&mut tx).await? {
            self.store(&mut tx, outcome).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    fn fits(&self, outcome: &Outcome) -> bool {
        outcome.body.len() <= self.idempotency.0.options.body_bytes_max
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let place = (self.request.scope.clone(), self.request.key.as_str().to_owned());
        self.idempotency.lock().remove(&place);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("key", &self.request.key).finish_non_exhaustive()
    }
}
