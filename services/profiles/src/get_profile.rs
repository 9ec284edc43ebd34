//! Reads one profile.

use pando_resilience::Call;

use crate::profile::{Profile, ProfileId};
use crate::{ProfileError, Profiles, store};

impl Profiles {
    /// The living profile of this id.
    pub async fn get_profile(&self, call: &Call, id: ProfileId) -> Result<Profile, ProfileError> {
        let read = self.0.database.read(call);
        store::find(&read, id).await?.ok_or(ProfileError::NotFound)
    }
}
