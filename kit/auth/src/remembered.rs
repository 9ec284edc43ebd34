//! Callers whose credentials were verified a short time ago.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use pando_http::Network;
use pando_resilience::Identity;
use quick_cache::sync::Cache;
use ring::rand::{SecureRandom, SystemRandom};
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::AuthError;
use crate::keys::allowed_from;

/// A caller whose credential was verified.
pub(crate) struct Remembered {
    pub(crate) identity: Arc<Identity>,
    pub(crate) until: Instant,
    pub(crate) networks: Vec<Network>,
}

/// The callers that this process remembers. The credential itself is not kept, but its SipHash-2-4 of 128 bits. The key of
/// that hash is random and never leaves the process, so nobody can make a second credential with the same hash; and it
/// takes a third of the time of a hash without a key, which counts in answers from memory.
pub(crate) struct Memory {
    hash: SipHasher24,
    callers: Cache<u128, Arc<Remembered>>,
}

impl Memory {
    pub(crate) fn new(count_max: usize) -> Result<Self, AuthError> {
        let mut key = [0; 16];
        SystemRandom::new().fill(&mut key).map_err(|_| AuthError::no_random_bytes())?;
        Ok(Self { hash: SipHasher24::new_with_key(&key), callers: Cache::new(count_max) })
    }

    /// The caller with this credential, if it counts at this moment and from this address.
    pub(crate) fn recall(&self, credential: &str, client: IpAddr) -> Option<Arc<Identity>> {
        let known = self.callers.get(&self.hash(credential))?;
        let counts = known.until > Instant::now() && allowed_from(&known.networks, client);
        counts.then(|| known.identity.clone())
    }

    pub(crate) fn remember(&self, credential: &str, caller: Remembered) {
        self.callers.insert(self.hash(credential), Arc::new(caller));
    }

    fn hash(&self, credential: &str) -> u128 {
        let mut hash = self.hash;
        hash.write(credential.as_bytes());
        hash.finish128().as_u128()
    }
}
