//! Reads single profiles, from memory if possible.

use std::time::Duration;

use pando_cache::Loaded;
use pando_resilience::{Call, Deadline, Tenant};
use pando_service::{Fault, Kept};
use uuid::Uuid;

use crate::domain::faults::no_profile;
use crate::domain::parts::FullProfile;
use crate::domain::profile::{Profile, ProfileId};
use crate::{Profiles, store};

/// The form of a profile with its parts: what stands behind its id in the key of the cache.
pub(crate) const FULL: &str = "/full";
/// The name of a profile in an answer that says where it was read.
pub(crate) const PROFILE: &str = "profile";

/// How long a background read may take.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A profile as the cache keeps it.
pub(crate) fn kept(profile: &Profile) -> Result<Loaded, Fault> {
    Kept::named(PROFILE, profile, profile.version)
}

fn kept_full(full: &FullProfile) -> Result<Loaded, Fault> {
    Kept::object(full, full.profile.version)
}

impl Profiles {
    /// The living profile of this id.
    pub async fn read_profile(&self, call: &Call, id: ProfileId) -> Result<Kept, Fault> {
        let database = self.0.database.clone();
        let load = move |call: Call| async move {
            store::find(&database.read(&call), call.tenant(), id).await?.as_ref().map(kept).transpose()
        };
        self.0.memory.read(call, (id.into(), ""), load).await?.ok_or_else(no_profile)
    }

    /// The living profile of this id with its address and preferences.
    pub async fn read_full_profile(&self, call: &Call, id: ProfileId) -> Result<Kept, Fault> {
        let database = self.0.database.clone();
        let load = move |call: Call| async move {
            let full = store::parts::find_full(&database.read(&call), call.tenant(), id).await?;
            full.as_ref().map(kept_full).transpose()
        };
        self.0.memory.read(call, (id.into(), FULL), load).await?.ok_or_else(no_profile)
    }

    /// The living ones among these profiles, each once, in the order asked for.
    pub async fn read_profiles(&self, call: &Call, ids: &[ProfileId]) -> Result<Vec<Kept>, Fault> {
        let profiles = self.clone();
        let load = move |call: Call, missing: Vec<Uuid>| async move {
            let missing: Vec<ProfileId> = missing.into_iter().map(ProfileId::from).collect();
            let mut found = profiles.find_profiles(&call, &missing).await?.into_iter().peekable();
            let in_order = missing.iter().map(|id| found.next_if(|profile| profile.id == *id));
            in_order.map(|profile| profile.as_ref().map(kept).transpose()).collect()
        };
        let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
        self.0.memory.read_many(call, &ids, load).await
    }

    /// A profile of a tenant that this process holds, if it is as new as the token asks for.
    pub(crate) fn recall(&self, tenant: &Tenant, id: &str, token: Option<&str>) -> Option<Kept> {
        match self.0.memory.things() {
            Some(_) => self.0.memory.recall(tenant, id, token),
            None if token.is_none() => self.read_at_once(tenant, ProfileId::parse(id)?),
            None => None,
        }
    }

    /// If nothing is cached and the database is a file of this process, reading it takes less time than finding a handler. An error
    /// here also happens in the handler, which reports it.
    fn read_at_once(&self, tenant: &Tenant, id: ProfileId) -> Option<Kept> {
        let deadline = Deadline::after(AT_ONCE);
        let profile = store::find_at_once(&self.0.database, tenant, id, deadline)?.ok()??;
        kept(&profile).ok().map(Kept::fresh)
    }
}
