//! Changes a draft of rules.

use pando_service::prelude::*;
use serde_json::{Map, Value, json};

use crate::Risk;
use crate::domain::ruleset::{GivenRuleset, RulesetVersion, no_ruleset};
use crate::rules::{State, Version};
use crate::store::{evidence, rulesets};

impl Risk {
    /// Gives a draft another document and note. A version that passed its tests is a draft again; a published one never changes.
    pub async fn change_ruleset(
        &self,
        call: &Call,
        expected: &Expected,
        (number, fields): (u64, &Map<String, Value>),
    ) -> Result<Written<RulesetVersion>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let given = GivenRuleset::read(fields)?;
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            let ground = rulesets::lock_ground(&mut write.tx, tenant).await?;
            let before =
                rulesets::find_locked(&mut write.tx, tenant, number).await?.ok_or_else(no_ruleset)?;
            expected.check("ruleset", before.shown.version)?;
            if !matches!(before.shown.state, State::Draft | State::Tested) {
                return Err(Fault::conflict("only a draft can be changed: make another version"));
            }
            if ground.shadow == i64::try_from(number).ok() {
                return Err(Fault::conflict(
                    "the version runs in the shadow: stop that before it is changed",
                ));
            }
            let hash = given.ruleset.hash().to_owned();
            evidence::keep_ruleset(&mut write.tx, tenant, (&hash, &given.document), now);
            let mut record = before.stepped(Version { state: State::Draft, hash, ..before.life() }, now);
            record.shown.name = given.ruleset.name().to_owned();
            record.shown.note = given.note;
            rulesets::update(&mut write.tx, tenant, &record);
            write.acted(record.act("rules.changed", json!({})));
            write.done(record.shown)
        });
        write.await
    }
}
