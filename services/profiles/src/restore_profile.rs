//! Restores a deleted profile.

use pando_resilience::Call;
use pando_service::{Expected, Fault, Written};
use serde_json::Map;

use crate::domain::faults::no_profile;
use crate::domain::history::Operation;
use crate::domain::profile::{Profile, ProfileId};
use crate::{Profiles, store};

const DAY_MICROS: i64 = 86_400 * 1_000_000;

impl Profiles {
    /// Brings a profile back that was deleted not too long ago. A living profile is answered as it is.
    pub async fn restore_profile(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
    ) -> Result<Written<Profile>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let now = self.0.clock.now();
            let oldest = now.plus_micros(-DAY_MICROS.saturating_mul(i64::from(self.0.options.restore_days)));
            let mut write = turn.begin().await?;
            let stored = store::lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_profile)?;
            expected.check("profile", stored.profile.version)?;
            let profile = match stored.deleted_at {
                None => stored.profile,
                Some(deleted_at) if deleted_at < oldest => return Err(no_profile()),
                Some(_) => {
                    let back = stored.profile.touched(now);
                    store::mark(&mut write.tx, call.tenant(), &back, None);
                    let nothing = (Map::new(), Map::new());
                    self.record(&mut write, &stored, &back, Operation::Restored, nothing).await?;
                    back
                }
            };
            write.about(id);
            write.done(profile)
        });
        write.await
    }
}
