//! Creates one profile.

use pando_resilience::Call;
use pando_service::{Fault, Written};
use serde_json::{Map, Value};

use crate::domain::events;
use crate::domain::profile::{Profile, ProfileDraft};
use crate::read_profile::kept;
use crate::{Profiles, store};

impl Profiles {
    /// Makes a profile of the caller's fields.
    pub async fn create_profile(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Profile>, Fault> {
        self.create_from(call, |rules| Ok(ProfileDraft::parse(fields, rules)?)).await
    }

    /// Makes a profile of a draft.
    pub(crate) async fn create_from(
        &self,
        call: &Call,
        draft: impl FnOnce(&crate::AttributeRules) -> Result<ProfileDraft, Fault>,
    ) -> Result<Written<Profile>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let profile = draft(&self.0.rules)?.born(self.0.clock.fresh_id().into(), self.0.clock.now());
            let mut write = turn.begin().await?;
            store::insert(&mut write.tx, call.tenant(), &profile, call.actor());
            write.created(events::created(&profile));
            write.remember_new(profile.id.into(), || kept(&profile))?;
            write.about(profile.id);
            write.done(profile)
        });
        write.await
    }
}
