//! Runs a version of the rules in the shadow: it decides nothing, and its differences from the live version are counted.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::assessment::Assessed;
use crate::domain::ids;
use crate::domain::ruleset::no_ruleset;
use crate::ground::Ground;
use crate::rules::{Summary, compare};
use crate::store::{rulesets, shadows};

/// The version in the shadow, and its differences from the live one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ShadowReport {
    /// The version in the shadow; null if there is none.
    pub number: Option<u64>,
    /// Since when it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// When comparisons were last added. Those of the last second may be missing.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Timestamp>,
    /// The counts, and the first 20 assessments with a difference.
    #[schema(value_type = Object)]
    pub summary: Summary,
}

impl Risk {
    /// Has a version run in the shadow of the live one. Its counts begin anew.
    pub async fn start_ruleset_shadow(
        &self,
        call: &Call,
        number: u64,
    ) -> Result<Written<ShadowReport>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            rulesets::lock_ground(&mut write.tx, tenant).await?;
            let record =
                rulesets::find_locked(&mut write.tx, tenant, number).await?.ok_or_else(no_ruleset)?;
            let live = rulesets::live_locked(&mut write.tx, tenant).await?;
            if live.is_some_and(|live| live.shown.number == number) {
                return Err(Fault::conflict("the version decides already: it has no shadow to run in"));
            }
            let place = i64::try_from(number).map_err(Fault::internal)?;
            shadows::begin(&mut write.tx, tenant, place, now)?;
            rulesets::move_ground(&mut write.tx, tenant, Some(place));
            self.forget_ground_after(&mut write);
            write.acted(record.act("rules.shadow_started", json!({})));
            let summary = Summary::default();
            write.done(ShadowReport {
                number: Some(number),
                since: Some(now),
                updated_at: Some(now),
                summary,
            })
        });
        write.await
    }

    /// Ends the run in the shadow.
    pub async fn stop_ruleset_shadow(&self, call: &Call) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let tenant = call.tenant();
            let mut write = turn.begin().await?;
            let ground = rulesets::lock_ground(&mut write.tx, tenant).await?;
            let number = ground.shadow.and_then(|number| u64::try_from(number).ok());
            let number = number.ok_or_else(|| Fault::not_found("version in the shadow"))?;
            let record =
                rulesets::find_locked(&mut write.tx, tenant, number).await?.ok_or_else(no_ruleset)?;
            rulesets::move_ground(&mut write.tx, tenant, None);
            self.forget_ground_after(&mut write);
            write.acted(record.act("rules.shadow_stopped", json!({})));
            write.done(())
        });
        write.await
    }

    /// The differences between the live version and the one in the shadow.
    pub async fn ruleset_shadow(&self, call: &Call) -> Result<ShadowReport, Fault> {
        self.0.shadows.write_all().await?;
        let (read, tenant) = (self.0.parts.database.read_primary(call), call.tenant());
        let number = rulesets::ground(&read, tenant).await?.shadow;
        let row = match number {
            Some(number) => shadows::find(&read, tenant, number).await?,
            None => None,
        };
        let number = number.and_then(|number| u64::try_from(number).ok());
        Ok(match row {
            Some(row) => ShadowReport {
                number,
                since: Some(row.since),
                updated_at: Some(row.updated_at),
                summary: row.summary,
            },
            None => ShadowReport { number, since: None, updated_at: None, summary: Summary::default() },
        })
    }

    /// Compares the live rules with those in the shadow for assessments, and counts the outcomes once these are committed.
    pub(crate) fn compare_with_shadow(&self, write: &mut Write, ground: &Ground, assessed: &[Assessed]) {
        let Some(shadow) = ground.tenant.shadow.clone() else { return };
        let mut found = Vec::with_capacity(assessed.len());
        for one in assessed {
            let Some(facts) = &one.basis.facts else { continue };
            let difference = compare(&ground.tenant.ruleset, &shadow.ruleset, &facts.request);
            found.push((ids::ASSESSMENT.show(one.id), difference));
        }
        let (shadows, tenant) = (self.0.shadows.clone(), write.call.tenant().clone());
        write.tx.after_commit(move || {
            for (id, difference) in found {
                shadows.add(&tenant, shadow.number, (&id, difference));
            }
        });
    }
}
