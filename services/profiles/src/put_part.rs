//! Writes the address or the preferences of a profile.

use pando_resilience::Call;
use pando_service::history::difference;
use pando_service::{Expected, Fault, Written};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::parts::{Address, Preferences};
use crate::domain::profile::ProfileId;
use crate::store::parts::{Part, locked};
use crate::{Profiles, store};

/// A part of a profile, and the version that the profile has with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartWritten<P> {
    /// The part.
    #[serde(flatten)]
    pub part: P,
    /// The profile's version.
    pub version: i64,
}

impl Profiles {
    /// Writes the whole address; answers with it and the profile's new version.
    pub async fn put_address(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        fields: &Map<String, Value>,
    ) -> Result<Written<PartWritten<Address>>, Fault> {
        self.put_part(call, (id, expected), || Ok(Address::parse(fields)?)).await
    }

    /// Writes all preferences; answers with them and the profile's new version.
    pub async fn put_preferences(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        fields: &Map<String, Value>,
    ) -> Result<Written<PartWritten<Preferences>>, Fault> {
        self.put_part(call, (id, expected), || Ok(Preferences::parse(fields)?)).await
    }

    /// Writes a part, which raises the version of the profile; a part that is the same already changes nothing.
    async fn put_part<P>(
        &self,
        call: &Call,
        (id, expected): (ProfileId, &Expected),
        parse: impl FnOnce() -> Result<P, Fault>,
    ) -> Result<Written<PartWritten<P>>, Fault>
    where
        P: Part + Serialize + DeserializeOwned + PartialEq,
    {
        let write = self.0.writes.once(call, |turn| async move {
            let part = parse()?;
            let mut write = turn.begin().await?;
            let stored = self.lock_living(&mut write, id, expected).await?;
            let before = locked::<P>(&mut write.tx, call.tenant(), &stored.profile).await?;
            let mut version = stored.profile.version;
            if before.as_ref() != Some(&part) {
                let next = stored.profile.touched(self.0.clock.now());
                part.put(&mut write.tx, call.tenant(), &next);
                store::mark(&mut write.tx, call.tenant(), &next, None);
                let fields = difference(&document(&before), &document(&part));
                self.record(&mut write, &stored, &next, P::OPERATION, fields).await?;
                version = next.version;
            }
            write.about(id);
            write.done(PartWritten { part, version })
        });
        write.await
    }
}

fn document(part: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(part) {
        Ok(Value::Object(document)) => document,
        _ => Map::new(),
    }
}
