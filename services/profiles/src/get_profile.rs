//! Reads one profile.

use pando_resilience::Call;
use pando_service::Fault;

use crate::domain::faults::no_profile;
use crate::domain::profile::{Profile, ProfileId};
use crate::{Profiles, store};

impl Profiles {
    /// The living profile of this id.
    pub async fn get_profile(&self, call: &Call, id: ProfileId) -> Result<Profile, Fault> {
        let read = self.0.database.read(call);
        store::find(&read, call.tenant(), id).await?.ok_or_else(no_profile)
    }
}
