//! Reads the history of one profile.

use pando_resilience::Call;
use pando_service::Fault;

use crate::domain::faults::no_profile;
use crate::domain::history::Change;
use crate::domain::profile::ProfileId;
use crate::store::changes::{HISTORY, creation};
use crate::{Profiles, store};

impl Profiles {
    /// The changes before a version, the latest first and the creation last. Deleted profiles have a history too.
    pub async fn list_changes(
        &self,
        call: &Call,
        id: ProfileId,
        before_version: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Change>, Fault> {
        let read = self.0.database.read(call);
        let stored = store::find_stored(&read, call.tenant(), id).await?.ok_or_else(no_profile)?;
        let before = before_version.unwrap_or(i64::MAX);
        if stored.profile.version == 1 {
            return Ok(if before > 1 { vec![creation(&stored)] } else { Vec::new() });
        }
        Ok(HISTORY.page(&read, (call.tenant(), id.into()), before, limit).await?)
    }
}
