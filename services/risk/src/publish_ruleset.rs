//! Publishes a version of the rules: it decides from now on.

use pando_service::prelude::*;
use serde_json::json;

use crate::Risk;
use crate::domain::ruleset::{RulesetVersion, VersionRecord, no_ruleset};
use crate::rules::{State, VersionError};
use crate::store::rulesets;

impl Risk {
    /// Publishes a version whose tests pass, and retires the one that decided until now.
    pub async fn publish_ruleset(
        &self,
        call: &Call,
        expected: &Expected,
        number: u64,
    ) -> Result<Written<RulesetVersion>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let read = self.0.parts.database.read_primary(call);
            let found = rulesets::find(&read, tenant, number).await?.ok_or_else(no_ruleset)?;
            let ruleset = self.kept_ruleset(call, &found.shown.hash).await?;
            let mut write = turn.begin().await?;
            let ground = rulesets::lock_ground(&mut write.tx, tenant).await?;
            let before =
                rulesets::find_locked(&mut write.tx, tenant, number).await?.ok_or_else(no_ruleset)?;
            expected.check("ruleset", before.shown.version)?;
            let live = rulesets::live_locked(&mut write.tx, tenant).await?;
            // The tests run again with this program: an older one may have let them pass.
            let tested = before.life().test(&ruleset).map_err(not_published)?;
            let publication =
                tested.publish(live.as_ref().map(VersionRecord::life)).map_err(not_published)?;
            if let (Some(live), Some(retired)) = (live, publication.retired) {
                rulesets::update(&mut write.tx, tenant, &live.stepped(retired, now));
            }
            let mut record = before.stepped(publication.published, now);
            record.shown.published_by = Some(call.actor().to_owned());
            record.shown.published_at = Some(now);
            rulesets::update(&mut write.tx, tenant, &record);
            // A version that decides has nothing to compare with in the shadow.
            let shadow = ground.shadow.filter(|shadow| i64::try_from(number).ok() != Some(*shadow));
            rulesets::move_ground(&mut write.tx, tenant, shadow);
            self.forget_ground_after(&mut write);
            write.acted(record.act("rules.published", json!({})));
            write.done(record.shown)
        });
        write.await
    }

    /// Publishes the document of an earlier version again, under the next number.
    pub async fn roll_back_ruleset(
        &self,
        call: &Call,
        number: u64,
    ) -> Result<Written<RulesetVersion>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            let ground = rulesets::lock_ground(&mut write.tx, tenant).await?;
            let older = rulesets::find_locked(&mut write.tx, tenant, number).await?.ok_or_else(no_ruleset)?;
            let live = rulesets::live_locked(&mut write.tx, tenant).await?;
            let live = live.ok_or_else(|| Fault::conflict("no version of this tenant decides yet"))?;
            let next = rulesets::last_number(&mut write.tx, tenant).await? + 1;
            let publication = older.life().roll_back(next, live.life()).map_err(not_published)?;
            let from = live.shown.number;
            if let Some(retired) = publication.retired {
                rulesets::update(&mut write.tx, tenant, &live.stepped(retired, now));
            }
            let record = VersionRecord {
                id: self.0.parts.clock.fresh_id(),
                shown: RulesetVersion {
                    number: next,
                    state: State::Published,
                    restores: publication.published.restores,
                    rolled_back_from: publication.published.rolled_back_from,
                    note: format!("Rolls back from version {from} to version {number}."),
                    version: 1,
                    created_by: call.actor().to_owned(),
                    created_at: now,
                    updated_at: now,
                    published_by: Some(call.actor().to_owned()),
                    published_at: Some(now),
                    ..older.shown
                },
            };
            rulesets::insert(&mut write.tx, tenant, &record);
            rulesets::move_ground(&mut write.tx, tenant, ground.shadow);
            self.forget_ground_after(&mut write);
            write.acted(record.act("rules.rolled_back", json!({"restores": number, "from": from})));
            write.done(record.shown)
        });
        write.await
    }
}

/// The version cannot be published as it is; every failed test is named.
fn not_published(error: VersionError) -> Fault {
    let text = error.to_string();
    let fault = Fault::conflict(text);
    match error {
        VersionError::TestsFailed(failures) => failures.into_iter().fold(fault, |fault, failure| {
            fault.with_field(format!("tests.{}", failure.test), "TEST_FAILED", failure.message)
        }),
        _ => fault,
    }
}
