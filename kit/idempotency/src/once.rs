//! All steps in one call, for an effect that fits into one transaction.

use pando_database::{DatabaseError, Token, Transaction};
use pando_resilience::Call;

use crate::{Admission, Answer, Claim, Idempotency, IdempotencyError, Request};

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// It was the first; with the token of its write, if it wrote.
    First(Answer, Option<Token>),
    /// It was answered before: the same answer.
    Replayed(Answer),
    /// The first one is being worked on: 409 with `Retry-After`.
    InFlight,
    /// The key was used for something else: 422.
    OtherRequest,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OnceError<E> {
    /// The effect failed, and did not happen.
    #[error("the effect failed")]
    Effect(E),
    /// The key could not be looked up, or the answer could not be stored. The effect did not happen, unless the error says that
    /// the result is unknown.
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
}

impl Idempotency {
    /// Runs `effect` in a transaction, once for all requests of this key, and answers every one of them alike. An
    /// answer that is no success rolls the effect back; it is kept if such answers are. An error rolls back too.
    pub async fn once<E>(
        &self,
        call: &Call,
        request: Request,
        effect: impl AsyncFnOnce(&mut Transaction) -> Result<Answer, E>,
    ) -> Result<Once, OnceError<E>> {
        let database = |error: DatabaseError| OnceError::Idempotency(error.into());
        let ticket = match self.admit(call, request).await? {
            Admission::First(ticket) => ticket,
            Admission::Replay(answer) => return Ok(Once::Replayed(answer)),
            Admission::InFlight => return Ok(Once::InFlight),
            Admission::OtherRequest => return Ok(Once::OtherRequest),
        };
        let mut tx = self.0.database.transaction(call).await.map_err(database)?;
        match ticket.claim(&mut tx).await? {
            Claim::First => {}
            Claim::Replay(answer) => return Ok(Once::Replayed(answer)),
            Claim::OtherRequest => return Ok(Once::OtherRequest),
            Claim::InFlight => return Ok(Once::InFlight),
        }
        let answer = effect(&mut tx).await.map_err(OnceError::Effect)?;
        if answer.is_success() {
            ticket.store(&mut tx, &answer).await?;
            let token = tx.commit().await.map_err(database)?;
            return Ok(Once::First(answer, Some(token)));
        }
        tx.rollback().await.map_err(database)?;
        ticket.keep_refusal(call, &answer).await?;
        Ok(Once::First(answer, None))
    }
}
