//! Hashes passwords with Argon2id, a few at a time: each run takes 19 MiB and tens of milliseconds of a core.

use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use pando_telemetry::{Counter, Metrics};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::LoginError;

/// The costs of new hashes, as OWASP recommends them.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// How many passwords may wait for their turn, and for how long.
const WAITING_MAX: usize = 64;
const WAIT_MAX: Duration = Duration::from_secs(2);
/// The lengths of passwords, in characters. There is no other rule: NIST SP 800-63B advises against more.
const CHARS: std::ops::RangeInclusive<usize> = 12..=128;
/// The hash of no password, for accounts that have none or do not exist.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The pool that hashes passwords.
pub(super) struct Passwords {
    at_once: Arc<Semaphore>,
    waiting: Semaphore,
    runs: Counter,
}

/// The outcome of a verification.
pub(super) struct Verified {
    pub(super) is_right: bool,
    /// The hash was made with other costs than those of today.
    pub(super) is_outdated: bool,
}

/// A hash as it is stored: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
struct Stored {
    costs: [u32; 3],
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Passwords {
    pub(super) fn new(at_once: usize, metrics: &Metrics) -> Self {
        let runs = metrics.counter("auth_password_hashes_total", "Runs of Argon2id.", &[]);
        Self {
            at_once: Arc::new(Semaphore::new(at_once)),
            waiting: Semaphore::new(at_once + WAITING_MAX),
            runs,
        }
    }

    /// The hash of a new password.
    pub(super) async fn hash(&self, password: Zeroizing<String>) -> Result<String, LoginError> {
        check(&password)?;
        self.run(move || {
            let mut salt = [0; SALT_BYTES];
            SystemRandom::new().fill(&mut salt).ok()?;
            let costs = [MEMORY_KIB, PASSES, LANES];
            let hash = argon2id(&password, &salt, costs, HASH_BYTES)?;
            Some(Stored { costs, salt: salt.to_vec(), hash }.write())
        })
        .await
    }

    /// Whether a password is the one of a hash. It takes as long if there is no hash.
    pub(super) async fn verify(
        &self,
        password: Zeroizing<String>,
        stored: Option<String>,
    ) -> Result<Verified, LoginError> {
        self.run(move || {
            let known = stored.as_deref().and_then(Stored::read);
            let is_known = known.is_some();
            let Stored { costs, salt, hash } = known.or_else(|| Stored::read(NOBODY))?;
            let sent = argon2id(&password, &salt, costs, hash.len())?;
            let is_right = bool::from(sent.ct_eq(&hash)) && is_known && check(&password).is_ok();
            Some(Verified { is_right, is_outdated: costs != [MEMORY_KIB, PASSES, LANES] })
        })
        .await
    }

    /// Runs on a thread of its own when it is its turn. Work that has begun keeps its turn although nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Result<T, LoginError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| LoginError::Busy)?;
        let turn = tokio::time::timeout(WAIT_MAX, self.at_once.clone().acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(LoginError::Busy)?;
        self.runs.inc();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.ok().flatten().ok_or(LoginError::Busy)
    }
}

/// Whether a password may be one.
fn check(password: &str) -> Result<(), LoginError> {
    match CHARS.contains(&password.chars().count()) {
        true => Ok(()),
        false => Err(LoginError::PasswordLength { min: *CHARS.start(), max: *CHARS.end() }),
    }
}

fn argon2id(password: &str, salt: &[u8], [memory, passes, lanes]: [u32; 3], bytes: usize) -> Option<Vec<u8>> {
    let params = Params::new(memory, passes, lanes, Some(bytes)).ok()?;
    let mut hash = vec![0; bytes];
    // No longer text is a password, and the work must not grow with what strangers send.
    let end = password.char_indices().nth(*CHARS.end()).map_or(password.len(), |(end, _)| end);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(&password.as_bytes()[..end], salt, &mut hash).ok()?;
    Some(hash)
}

impl Stored {
    fn write(&self) -> String {
        let [memory, passes, lanes] = self.costs;
        let [salt, hash] = [&self.salt, &self.hash].map(|bytes| BASE64_STANDARD_NO_PAD.encode(bytes));
        format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
    }

    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$")?;
        let [costs, salt, hash] = rest.split('$').collect::<Vec<_>>().try_into().ok()?;
        let costs: Vec<&str> = costs.split(',').collect();
        let cost = |at: usize, name: &str| costs.get(at)?.strip_prefix(name)?.parse().ok();
        let costs = [cost(0, "m=")?, cost(1, "t=")?, cost(2, "p=")?];
        let decode = |text| BASE64_STANDARD_NO_PAD.decode(text).ok();
        Some(Self { costs, salt: decode(salt)?, hash: decode(hash)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_is_verified_by_its_hash_and_every_attempt_costs_one_run() {
        let passwords = Passwords::new(1, &Metrics::new());
        let hash = passwords.hash(secret("correct horse battery")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (password, stored, right) in [
            ("correct horse battery", Some(hash.clone()), true),
            ("correct horse batterx", Some(hash.clone()), false),
            ("", Some(hash.clone()), false),
            ("correct horse battery", None, false),
            ("correct horse battery", Some("unreadable".to_owned()), false),
        ] {
            let before = passwords.runs.get();
            let verified = passwords.verify(secret(password), stored).await.unwrap();
            assert_eq!((verified.is_right, verified.is_outdated), (right, false), "{password}");
            assert_eq!(passwords.runs.get() - before, 1);
        }
    }

    #[tokio::test]
    async fn passwords_have_a_length_and_no_other_rule() {
        let passwords = Passwords::new(1, &Metrics::new());
        for (text, fits) in [
            ("a".repeat(11), false),
            ("a".repeat(12), true),
            ("ä".repeat(128), true),
            ("a".repeat(129), false),
        ] {
            let hashed = passwords.hash(secret(&text)).await;
            assert_eq!(hashed.is_ok(), fits, "{text}");
        }
        let long = passwords.hash(secret(&"a".repeat(128))).await.unwrap();
        assert!(!passwords.verify(secret(&"a".repeat(129)), Some(long)).await.unwrap().is_right);
    }

    #[tokio::test]
    async fn few_run_at_once_and_not_many_wait() {
        let passwords = Arc::new(Passwords::new(1, &Metrics::new()));
        let turn = passwords.at_once.clone().try_acquire_owned().unwrap();
        let waiting: Vec<_> = (0..=WAITING_MAX).map(|_| passwords.waiting.try_acquire().unwrap()).collect();
        let refused = passwords.verify(secret("x"), None).await;
        assert!(matches!(refused, Err(LoginError::Busy)), "the queue is full");
        drop((turn, waiting));
        assert!(passwords.verify(secret("x"), None).await.is_ok());
    }
}
