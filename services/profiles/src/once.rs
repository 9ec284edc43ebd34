//! Writes that happen once for all requests with the same key: the answer is stored in the transaction of the effect.

use std::sync::{Arc, Mutex, PoisonError};

use pando_database::Transaction;
use pando_idempotency::{Answer, Claim, IdempotencyError, Ticket};
use pando_resilience::Call;

use crate::accepted::Accepted;
use crate::images::Added;
use crate::parts::{Address, Preferences};
use crate::profile::{Profile, ProfileId};
use crate::write_batch::ItemOutcome;
use crate::{ProfileError, Profiles};

/// The result of a write, before its commit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    /// A profile was made.
    Made(&'a Profile),
    /// A profile stands like this now.
    Current(&'a Profile),
    /// A profile was deleted.
    Gone,
    /// The address, at this version of the profile.
    Address(&'a Address, i64),
    /// The preferences, at this version of the profile.
    Preferences(&'a Preferences, i64),
    /// A job was stored that does it.
    Accepted(&'a Accepted),
    /// A profile has this image.
    Image(&'a Added, ProfileId),
    /// A profile of this version has an image no more.
    ImageGone(i64),
    /// The result of each item of a batch.
    Batch(&'a [ItemOutcome]),
}

/// How an outcome is answered.
pub(crate) type Written = fn(Outcome<'_>) -> Result<Answer, ProfileError>;

/// A write whose request has a key.
pub(crate) struct Once {
    ticket: Ticket,
    written: Written,
    /// The stored record of the key if another process was first.
    taken: Mutex<Option<Claim>>,
}

impl Once {
    pub(crate) fn new(ticket: Ticket, written: Written) -> Self {
        Self { ticket, written, taken: Mutex::default() }
    }

    /// The result of the other process for this key, if it was first.
    pub(crate) fn taken(&self) -> Option<Claim> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps the answer to a request that had no effect.
    pub(crate) async fn keep_refusal(&self, call: &Call, answer: &Answer) -> Result<(), ProfileError> {
        self.ticket.keep_refusal(call, answer).await.map_err(ProfileError::from)
    }

    async fn claim(&self, tx: &mut Transaction) -> Result<(), ProfileError> {
        match self.ticket.claim(tx).await? {
            Claim::First => Ok(()),
            other => {
                *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(other);
                Err(ProfileError::Repeated)
            }
        }
    }
}

impl Profiles {
    /// The service for one request with a key: whatever it writes, it writes once.
    pub(crate) fn once(&self, once: &Arc<Once>) -> Self {
        Self(Arc::clone(&self.0), Some(Arc::clone(once)))
    }

    /// Opens the transaction of a write. Every write begins here: a request with a key takes it first.
    pub(crate) async fn begin(&self, call: &Call) -> Result<Transaction, ProfileError> {
        let mut tx = self.0.database.transaction(call).await?;
        if let Some(once) = &self.1 {
            once.claim(&mut tx).await?;
        }
        Ok(tx)
    }

    /// Stores the answer to a request with a key, before the commit; `about` names the person, for a later erasure.
    pub(crate) async fn keep_answer(
        &self,
        tx: &mut Transaction,
        about: Option<ProfileId>,
        outcome: Outcome<'_>,
    ) -> Result<(), ProfileError> {
        let Some(once) = &self.1 else { return Ok(()) };
        let (answer, about) = ((once.written)(outcome)?, about.map(|id| id.to_string()));
        Ok(once.ticket.store_about(tx, &answer, about.as_deref()).await?)
    }
}

impl From<IdempotencyError> for ProfileError {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Database(error) => error.into(),
            error => Self::Unwritable(error.to_string()),
        }
    }
}
