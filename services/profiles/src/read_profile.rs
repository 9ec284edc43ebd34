//! Reads single profiles, from memory if possible.

use std::time::Duration;

use pando_cache::{Found, Loaded};
use pando_resilience::{Call, Deadline};

use crate::cached_answer::CachedAnswer;
use crate::memory::{full_key, key};
use crate::profile::ProfileId;
use crate::{FetchMode, ProfileError, Profiles, store};

/// How long a background read may take.
const AT_ONCE: Duration = Duration::from_millis(500);
/// How many fills of a warm-up are under way at once.
const WARM_AT_ONCE: usize = 16;

impl Profiles {
    /// The living profile of this id.
    pub async fn read_profile(&self, call: &Call, id: ProfileId) -> Result<CachedAnswer, ProfileError> {
        let at_least = self.at_least(call).await?;
        let Some(cache) = self.0.memory.profiles() else {
            return Ok(CachedAnswer::fresh(CachedAnswer::remembered(&self.get_profile(call, id).await?)?));
        };
        let database = self.0.database.clone();
        let load = move |call: Call| async move {
            let profile = store::find(&database.read(&call), id).await?;
            profile.map(|profile| CachedAnswer::remembered(&profile)).transpose()
        };
        let found = cache.get_or_load(call, &key(id), at_least, load).await?;
        found.map(CachedAnswer::from).ok_or(ProfileError::NotFound)
    }

    /// The living ones among these profiles, each once, in the order asked for.
    pub async fn read_profiles(
        &self,
        call: &Call,
        ids: &[ProfileId],
    ) -> Result<Vec<CachedAnswer>, ProfileError> {
        let mut seen = std::collections::HashSet::new();
        let ids: Vec<ProfileId> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        let Some(cache) = self.0.memory.profiles() else {
            let found = self.find_profiles(call, &ids).await?;
            return found
                .iter()
                .map(|profile| Ok(CachedAnswer::fresh(CachedAnswer::remembered(profile)?)))
                .collect();
        };
        let at_least = self.at_least(call).await?;
        let profiles = self.clone();
        let keys: Vec<[u8; 36]> = ids.iter().copied().map(key).collect();
        let load = move |call: Call, places: Vec<usize>| async move {
            let missing: Vec<ProfileId> = places.into_iter().map(|place| ids[place]).collect();
            let found = profiles.find_profiles(&call, &missing).await?;
            let mut found = found.into_iter().peekable();
            let in_order = missing.iter().map(|id| found.next_if(|profile| profile.id == *id));
            in_order
                .map(|profile| profile.map(|profile| CachedAnswer::remembered(&profile)).transpose())
                .collect()
        };
        let found: Vec<Option<Found>> = cache.get_many(call, &keys, at_least, load).await?;
        Ok(found.into_iter().flatten().map(CachedAnswer::from).collect())
    }

    /// The living profile of this id with its address and preferences.
    pub async fn read_full_profile(&self, call: &Call, id: ProfileId) -> Result<CachedAnswer, ProfileError> {
        let Some(cache) = self.0.memory.profiles() else {
            let full = self.get_full_profile(call, id, FetchMode::Joined).await?;
            return Ok(CachedAnswer::fresh(CachedAnswer::remembered_full(&full)?));
        };
        let at_least = self.at_least(call).await?;
        let database = self.0.database.clone();
        let load = move |call: Call| async move {
            let full = store::parts::find_full(&database.read(&call), id).await?;
            full.map(|full| CachedAnswer::remembered_full(&full)).transpose()
        };
        let found: Result<Option<Found>, _> = cache.get_or_load(call, &full_key(id), at_least, load).await;
        found?.map(CachedAnswer::from).ok_or(ProfileError::NotFound)
    }

    /// A profile that this process holds, if it is as new as the token asks for. An id that is not written as we write
    /// it is no key: it goes the ordinary way.
    pub(crate) fn recall(&self, id: &str, token: Option<&str>) -> Option<CachedAnswer> {
        let Some(cache) = self.0.memory.profiles() else {
            return if token.is_none() { self.read_at_once(ProfileId::parse(id)?) } else { None };
        };
        let at_least = match token {
            Some(token) => Some(self.at_least_known(cache, token)?),
            None => None,
        };
        cache.peek(id.as_bytes(), at_least).map(CachedAnswer::from)
    }

    /// If nothing is cached and the database is a file of this process, reading it takes less time than finding a handler. An error
    /// here also happens in the handler, which reports it.
    fn read_at_once(&self, id: ProfileId) -> Option<CachedAnswer> {
        let deadline = Deadline::after(AT_ONCE);
        let profile = store::find_at_once(&self.0.database, id, deadline)?.ok()??;
        CachedAnswer::remembered(&profile).ok().map(CachedAnswer::fresh)
    }
}

impl Profiles {
    /// Fills the cache with the newest profiles, so that a new process does not begin cold. Answers how many.
    pub async fn warm_cache(&self, call: &Call, profiles_max: usize) -> Result<u64, ProfileError> {
        let Some(cache) = self.0.memory.profiles() else { return Ok(0) };
        let filter = crate::ProfileFilter { limit: profiles_max, ..crate::ProfileFilter::default() };
        let newest = self.list_profiles(call, &filter).await?.profiles;
        let values: Vec<Result<(Vec<u8>, Loaded), ProfileError>> = newest
            .iter()
            .map(|profile| Ok((key(profile.id).to_vec(), CachedAnswer::remembered(profile)?)))
            .collect();
        let warmed = cache.warm(futures_util::stream::iter(values), WARM_AT_ONCE).await;
        Ok(warmed.filled)
    }
}
