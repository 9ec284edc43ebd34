//! Deletes one profile, so that it can be restored for a while.

use pando_resilience::Call;
use serde_json::Map;

use crate::events::Happened;
use crate::history::Operation;
use crate::memory::Changes;
use crate::once::Outcome;
use crate::profile::ProfileId;
use crate::update_profile::Expected;
use crate::{ProfileError, Profiles, Written, store};

impl Profiles {
    /// Deletes a profile; its e-mail address is free at once.
    pub async fn delete_profile(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
    ) -> Result<Written<()>, ProfileError> {
        let (mut tx, stored) = self.lock_living(call, id, expected).await?;
        let gone = stored.profile.touched(self.0.clock.now());
        store::mark(&mut tx, &gone, Some(gone.updated_at));
        store::changes::record(
            &mut tx,
            &stored,
            &gone,
            Operation::Deleted,
            &call.actor,
            (Map::new(), Map::new()),
        );
        self.keep_answer(&mut tx, Some(id), Outcome::Gone).await?;
        let changes = Changes::one(id, gone.version, Happened::Deleted);
        Ok(Written { value: (), token: self.commit(call, tx, changes).await? })
    }
}
