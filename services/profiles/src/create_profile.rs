//! Creates one profile.

use pando_clock::Clock;
use pando_resilience::Call;
use serde_json::{Map, Value};

use crate::memory::Changes;
use crate::once::Outcome;
use crate::profile::{Profile, ProfileDraft, ProfileId};
use crate::{ProfileError, Profiles, Written, store};

impl Profiles {
    /// Makes a profile of the caller's fields.
    pub async fn create_profile(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Profile>, ProfileError> {
        self.create_from(call, ProfileDraft::parse(fields, &self.0.rules)?).await
    }

    /// Makes a profile of a draft.
    pub(crate) async fn create_from(
        &self,
        call: &Call,
        draft: ProfileDraft,
    ) -> Result<Written<Profile>, ProfileError> {
        let profile = draft.born(self.0.clock.fresh_id().into(), &self.0.clock);
        let ticket = self.0.memory.before_creation(profile.id);
        let mut tx = self.begin(call).await?;
        store::insert(&mut tx, &profile, &call.actor);
        self.keep_answer(&mut tx, Some(profile.id), Outcome::Made(&profile)).await?;
        let token = self.commit(call, tx, Changes::creation(&profile, ticket)?).await?;
        Ok(Written { value: profile, token })
    }
}

impl ProfileDraft {
    /// The first version of a profile of this draft.
    pub(crate) fn born(self, id: ProfileId, clock: &Clock) -> Profile {
        let now = clock.now();
        let Self { name, email, bio, image_urls, attributes } = self;
        Profile { id, name, email, bio, image_urls, attributes, version: 1, created_at: now, updated_at: now }
    }
}
