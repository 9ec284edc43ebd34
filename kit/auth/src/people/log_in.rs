//! Logs a person in with a password, and changes a password.

use std::net::IpAddr;
use std::time::Duration;

use pando_resilience::Call;
use zeroize::Zeroizing;

use super::attempts::micros;
use super::sessions::Begun;
use super::{LoginError, Operator, Operators, store};

/// So many wrong passwords in a row lock an account.
const FAILURES_MAX: i64 = 5;
/// For how long it is locked. Each further wrong password doubles this.
const LOCK: Duration = Duration::from_secs(60);
const LOCK_MAX: Duration = Duration::from_secs(3_600);

const PASSWORD: &str = "password";

impl Operators {
    /// Begins a session for the person with this name and password.
    ///
    /// A name that is unknown, an account without a password, one that is disabled and one that is locked are refused like a wrong
    /// password: with the same words, and after the same work. If a locked account answered
    /// differently to the right password, the lock would not stop anybody from guessing.
    pub(crate) async fn log_in(
        &self,
        call: &Call,
        (name, password): (&str, Zeroizing<String>),
        (client, before): (IpAddr, Option<&str>),
    ) -> Result<Begun, LoginError> {
        let operator = self.checked(call, (name, password), client).await?;
        let mut tx = self.0.database.transaction(call).await?;
        let now = self.0.clock.now();
        // It may have been disabled or given another password in the meantime.
        let locked = store::lock(&mut tx, name, now).await?;
        if locked.disabled_at.is_some() || locked.hash != operator.hash {
            return Err(self.failed(PASSWORD));
        }
        let begun = self.begin_session(&mut tx, &locked, before).await?;
        tx.commit().await?;
        self.count(PASSWORD, "ok");
        tracing::info!(operator = name, client.address = %client, "an operator has logged in");
        Ok(begun)
    }

    /// Changes the password of the operator of a session, and ends the other sessions.
    pub(crate) async fn change_password(
        &self,
        call: &Call,
        token: &str,
        (current, new): (Zeroizing<String>, Zeroizing<String>),
        client: IpAddr,
    ) -> Result<(), LoginError> {
        let session = self.session(call, token).await?.ok_or(LoginError::NoSession)?;
        let checked = self.checked(call, (&session.operator, current), client).await;
        checked.map_err(|error| if error.is_wrong() { LoginError::WrongCurrent } else { error })?;
        let hash = self.0.passwords.hash(new).await?;
        let mut tx = self.0.database.transaction(call).await?;
        let mut operator = store::lock(&mut tx, &session.operator, self.0.clock.now()).await?;
        if operator.is_nobody() {
            return Err(LoginError::NoSession);
        }
        operator.hash = Some(hash);
        store::update(&mut tx, &operator).await?;
        self.end_others(&mut tx, &operator, token).await?;
        tx.commit().await?;
        tracing::info!(operator = operator.name, client.address = %client, "an operator has changed the password");
        Ok(())
    }

    /// The account with this name, if the password is right and the account may be used. Anything else counts as a failure.
    async fn checked(
        &self,
        call: &Call,
        (name, password): (&str, Zeroizing<String>),
        client: IpAddr,
    ) -> Result<Operator, LoginError> {
        let inner = &*self.0;
        inner.attempts.allow(client).inspect_err(|_| self.count(PASSWORD, "too_many"))?;
        let stored = store::find(&inner.database.read_primary(call), name).await?;
        let hash = stored.and_then(|operator| operator.hash);
        let verified = inner.passwords.verify(password.clone(), hash.clone()).await;
        let verified = verified.inspect_err(|_| self.count(PASSWORD, "busy"))?;
        let newer = match verified.is_right && verified.is_outdated {
            true => Some(inner.passwords.hash(password).await?),
            false => None,
        };
        let now = inner.clock.now();
        let mut tx = inner.database.transaction(call).await?;
        let mut operator = store::lock(&mut tx, name, now).await?;
        let is_locked = operator.is_locked(now);
        let counts =
            verified.is_right && !is_locked && operator.disabled_at.is_none() && operator.hash == hash;
        if counts {
            (operator.failures, operator.locked_until) = (0, None);
            operator.hash = newer.or(hash);
        } else if !is_locked {
            // Attempts while it is locked do not make it longer: a stranger could lock a person out for good.
            operator.failures += 1;
            operator.locked_until = locked_for(operator.failures).map(|time| now.plus_micros(micros(time)));
        }
        store::update(&mut tx, &operator).await?;
        tx.commit().await?;
        if counts {
            return Ok(operator);
        }
        inner.attempts.failed(client);
        // An unknown name may be a password in the wrong field.
        if !operator.is_nobody() {
            let (locked, disabled) = (operator.is_locked(now), operator.disabled_at.is_some());
            tracing::warn!(operator = operator.name, client.address = %client, locked, disabled, "a login failed");
        }
        Err(self.failed(PASSWORD))
    }

    fn failed(&self, way: &'static str) -> LoginError {
        self.count(way, "wrong");
        LoginError::Wrong
    }
}

/// For how long an account is locked after so many wrong passwords in a row.
fn locked_for(failures: i64) -> Option<Duration> {
    let doublings = u32::try_from(failures - FAILURES_MAX).ok()?;
    Some(LOCK.saturating_mul(2_u32.saturating_pow(doublings)).min(LOCK_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_locked_for_longer_and_longer() {
        for (failures, minutes) in
            [(4, None), (5, Some(1)), (6, Some(2)), (10, Some(32)), (11, Some(60)), (90, Some(60))]
        {
            assert_eq!(locked_for(failures), minutes.map(|it| Duration::from_secs(it * 60)), "{failures}");
        }
    }
}
