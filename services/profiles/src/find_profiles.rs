//! Reads some profiles by their ids.

use std::collections::HashMap;

use pando_resilience::Call;
use pando_service::Fault;

use crate::domain::profile::{Profile, ProfileId};
use crate::{Profiles, store};

impl Profiles {
    /// The living ones among these profiles, each once, in the order asked for.
    pub async fn find_profiles(&self, call: &Call, ids: &[ProfileId]) -> Result<Vec<Profile>, Fault> {
        let found = store::lists::with_ids(&self.0.database.read(call), call.tenant(), ids).await?;
        let mut by_id: HashMap<ProfileId, Profile> =
            found.into_iter().map(|profile| (profile.id, profile)).collect();
        Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
    }
}
