//! Fills the cache when a process starts.

use pando_cache::Loaded;
use pando_resilience::Call;
use pando_service::Fault;

use crate::read_profile::kept;
use crate::{ProfileFilter, Profiles};

/// How many fills are under way at once.
const AT_ONCE: usize = 16;

impl Profiles {
    /// Fills the cache with the newest profiles, so that a new process does not begin cold. Answers how many.
    pub async fn warm_cache(&self, call: &Call, profiles_max: usize) -> Result<u64, Fault> {
        let Some(cache) = self.0.memory.things() else { return Ok(0) };
        let filter = ProfileFilter { limit: profiles_max, ..ProfileFilter::default() };
        let newest = self.list_profiles(call, &filter).await?.items;
        let values: Vec<Result<(Vec<u8>, Loaded), Fault>> = newest
            .iter()
            .map(|profile| {
                Ok((call.tenant().scoped(&profile.id.to_string()).into_owned().into_bytes(), kept(profile)?))
            })
            .collect();
        Ok(cache.warm(futures_util::stream::iter(values), AT_ONCE).await.filled)
    }
}
