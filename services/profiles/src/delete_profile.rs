//! Deletes one profile, so that it can be restored for a while.

use pando_resilience::Call;
use pando_service::{Expected, Fault, Written};
use serde_json::Map;

use crate::domain::history::Operation;
use crate::domain::profile::ProfileId;
use crate::{Profiles, store};

impl Profiles {
    /// Deletes a profile; its e-mail address is free at once.
    pub async fn delete_profile(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
    ) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let stored = self.lock_living(&mut write, id, expected).await?;
            let gone = stored.profile.touched(self.0.clock.now());
            store::mark(&mut write.tx, call.tenant(), &gone, Some(gone.updated_at));
            let nothing = (Map::new(), Map::new());
            self.record(&mut write, &stored, &gone, Operation::Deleted, nothing).await?;
            write.about(id);
            write.done(())
        });
        write.await
    }
}
