//! Creates a draft of rules.

use pando_service::prelude::*;
use serde_json::{Map, Value, json};

use crate::Risk;
use crate::domain::ruleset::{GivenRuleset, RulesetVersion, VersionRecord};
use crate::rules::State;
use crate::store::{evidence, rulesets};

/// How many versions a tenant may have: the number of the last one.
const VERSIONS_MAX: u64 = 100_000;

impl Risk {
    /// Creates a draft with this document. It decides nothing until it is published.
    pub async fn create_ruleset(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<RulesetVersion>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let given = GivenRuleset::read(fields)?;
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            rulesets::lock_ground(&mut write.tx, tenant).await?;
            let number = rulesets::last_number(&mut write.tx, tenant).await? + 1;
            if number > VERSIONS_MAX {
                return Err(Fault::conflict(format!("there are {VERSIONS_MAX} versions already")));
            }
            let hash = given.ruleset.hash().to_owned();
            evidence::keep_ruleset(&mut write.tx, tenant, (&hash, &given.document), now);
            let record = VersionRecord {
                id: self.0.parts.clock.fresh_id(),
                shown: RulesetVersion {
                    number,
                    name: given.ruleset.name().to_owned(),
                    hash,
                    state: State::Draft,
                    note: given.note,
                    restores: None,
                    rolled_back_from: None,
                    version: 1,
                    created_by: call.actor().to_owned(),
                    created_at: now,
                    updated_at: now,
                    published_by: None,
                    published_at: None,
                },
            };
            rulesets::insert(&mut write.tx, tenant, &record);
            write.acted(record.act("rules.drafted", json!({})));
            write.done(record.shown)
        });
        write.await
    }
}
