//! Writes the address or the preferences of a profile.

use pando_database::Transaction;
use pando_resilience::Call;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::events::Happened;
use crate::history::{Operation, difference};
use crate::memory::Changes;
use crate::once::Outcome;
use crate::parts::{Address, Preferences};
use crate::profile::{Profile, ProfileId};
use crate::store::StoredProfile;
use crate::update_profile::Expected;
use crate::{ProfileError, Profiles, Written, store};

impl Profiles {
    /// Writes the whole address; answers with it and the profile's new version.
    pub async fn put_address(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        fields: &Map<String, Value>,
    ) -> Result<Written<(Address, i64)>, ProfileError> {
        let address = Address::parse(fields)?;
        let (mut tx, stored) = self.lock_living(call, id, expected).await?;
        let before = store::parts::locked_address(&mut tx, &stored.profile).await?;
        if before.as_ref() == Some(&address) {
            let version = stored.profile.version;
            self.keep_answer(&mut tx, Some(id), Outcome::Address(&address, version)).await?;
            return Ok(Written { value: (address, version), token: tx.commit().await? });
        }
        let next = stored.profile.touched(self.0.clock.now());
        store::parts::put_address(&mut tx, &next, &address);
        record_part(&mut tx, (&stored, &next), Operation::AddressPut, &call.actor, (&before, &address));
        self.keep_answer(&mut tx, Some(id), Outcome::Address(&address, next.version)).await?;
        let token = self.commit(call, tx, Changes::one(id, next.version, Happened::part("address"))).await?;
        Ok(Written { value: (address, next.version), token })
    }

    /// Writes all preferences; answers with them and the profile's new version.
    pub async fn put_preferences(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        fields: &Map<String, Value>,
    ) -> Result<Written<(Preferences, i64)>, ProfileError> {
        let preferences = Preferences::parse(fields)?;
        let (mut tx, stored) = self.lock_living(call, id, expected).await?;
        let before = store::parts::locked_preferences(&mut tx, &stored.profile).await?;
        if before.as_ref() == Some(&preferences) {
            let version = stored.profile.version;
            self.keep_answer(&mut tx, Some(id), Outcome::Preferences(&preferences, version)).await?;
            return Ok(Written { value: (preferences, version), token: tx.commit().await? });
        }
        let next = stored.profile.touched(self.0.clock.now());
        store::parts::put_preferences(&mut tx, &next, &preferences);
        record_part(
            &mut tx,
            (&stored, &next),
            Operation::PreferencesPut,
            &call.actor,
            (&before, &preferences),
        );
        self.keep_answer(&mut tx, Some(id), Outcome::Preferences(&preferences, next.version)).await?;
        let token =
            self.commit(call, tx, Changes::one(id, next.version, Happened::part("preferences"))).await?;
        Ok(Written { value: (preferences, next.version), token })
    }
}

/// Raises the profile's version and records what of the part changed.
fn record_part<P: Serialize>(
    tx: &mut Transaction,
    (stored, next): (&StoredProfile, &Profile),
    operation: Operation,
    actor: &str,
    (before, after): (&Option<P>, &P),
) {
    store::mark(tx, next, None);
    let fields = difference(&document(before), &document(after));
    store::changes::record(tx, stored, next, operation, actor, fields);
}

fn document(part: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(part) {
        Ok(Value::Object(document)) => document,
        _ => Map::new(),
    }
}
