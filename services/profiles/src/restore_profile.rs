//! Restores a deleted profile.

use pando_resilience::Call;
use serde_json::Map;

use crate::events::Happened;
use crate::history::Operation;
use crate::memory::Changes;
use crate::once::Outcome;
use crate::profile::{Profile, ProfileId};
use crate::{Expected, ProfileError, Profiles, Written, store};

const DAY_MICROS: i64 = 86_400 * 1_000_000;

impl Profiles {
    /// Brings a profile back that was deleted not too long ago. A living profile is answered as it is.
    pub async fn restore_profile(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
    ) -> Result<Written<Profile>, ProfileError> {
        let now = self.0.clock.now();
        let oldest = now.plus_micros(-DAY_MICROS.saturating_mul(i64::from(self.0.options.restore_days)));
        let mut tx = self.begin(call).await?;
        let stored = store::lock(&mut tx, id).await?.ok_or(ProfileError::NotFound)?;
        expected.check(&stored.profile)?;
        let mut changes = Changes::default();
        let profile = match stored.deleted_at {
            None => stored.profile,
            Some(deleted_at) if deleted_at < oldest => return Err(ProfileError::NotFound),
            Some(_) => {
                let back = stored.profile.touched(now);
                let nothing = (Map::new(), Map::new());
                store::mark(&mut tx, &back, None);
                store::changes::record(&mut tx, &stored, &back, Operation::Restored, &call.actor, nothing);
                changes.push(id, back.version, Happened::Restored);
                back
            }
        };
        self.keep_answer(&mut tx, Some(id), Outcome::Current(&profile)).await?;
        Ok(Written { value: profile, token: self.commit(call, tx, changes).await? })
    }
}
