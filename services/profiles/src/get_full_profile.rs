//! Reads a profile with its parts: with one statement, or with three for comparison.

use futures_util::future::try_join3;
use pando_resilience::Call;
use pando_service::Fault;

use crate::domain::faults::no_profile;
use crate::domain::parts::FullProfile;
use crate::domain::profile::ProfileId;
use crate::{Profiles, store};

/// How the profile and its parts are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FetchMode {
    /// Three statements, one after the other.
    Sequential,
    /// Three statements at once.
    Concurrent,
    /// One statement with two joins.
    #[default]
    Joined,
}

impl Profiles {
    /// The living profile of this id with its address and preferences.
    pub async fn get_full_profile(
        &self,
        call: &Call,
        id: ProfileId,
        mode: FetchMode,
    ) -> Result<FullProfile, Fault> {
        let (read, tenant) = (self.0.database.read(call), call.tenant());
        let (profile, address, preferences) = match mode {
            FetchMode::Joined => {
                return store::parts::find_full(&read, tenant, id).await?.ok_or_else(no_profile);
            }
            FetchMode::Sequential => (
                store::find(&read, tenant, id).await?,
                store::parts::find(&read, tenant, id).await?,
                store::parts::find(&read, tenant, id).await?,
            ),
            FetchMode::Concurrent => {
                try_join3(
                    store::find(&read, tenant, id),
                    store::parts::find(&read, tenant, id),
                    store::parts::find(&read, tenant, id),
                )
                .await?
            }
        };
        let profile = profile.ok_or_else(no_profile)?;
        Ok(FullProfile { profile, address, preferences })
    }
}
