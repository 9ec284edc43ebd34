//! Runs the tests that a version of the rules carries.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::ruleset::{RulesetVersion, no_ruleset};
use crate::rules::{State, TestFailure, VersionError};
use crate::store::rulesets;

/// The outcome of the tests of a ruleset.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RulesetTests)]
pub struct RulesetTests {
    /// The version, since then.
    pub ruleset: RulesetVersion,
    /// Whether there are tests, and all were passed.
    pub passed: bool,
    /// How many tests there are.
    pub tests: usize,
    /// Everything in which the outcomes differ from the expected ones.
    pub failures: Vec<TestFailure>,
}

impl Risk {
    /// Runs the tests of a version. A draft that passes them may be published.
    pub async fn test_ruleset(&self, call: &Call, number: u64) -> Result<Written<RulesetTests>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let read = self.0.parts.database.read_primary(call);
            let found = rulesets::find(&read, tenant, number).await?.ok_or_else(no_ruleset)?;
            let ruleset = self.kept_ruleset(call, &found.shown.hash).await?;
            let mut write = turn.begin().await?;
            rulesets::lock_ground(&mut write.tx, tenant).await?;
            let before =
                rulesets::find_locked(&mut write.tx, tenant, number).await?.ok_or_else(no_ruleset)?;
            if before.shown.hash != found.shown.hash {
                return Err(Fault::conflict("the draft was changed meanwhile: test it again"));
            }
            let tests = ruleset.tests();
            if !matches!(before.shown.state, State::Draft | State::Tested) {
                // Its state stays, whatever the tests say.
                let failures = ruleset.run_tests();
                let passed = failures.is_empty() && tests > 0;
                return write.done(RulesetTests { ruleset: before.shown, passed, tests, failures });
            }
            let (record, failures) = match before.life().test(&ruleset) {
                Ok(life) => (before.stepped(life, now), Vec::new()),
                Err(VersionError::TestsFailed(failures)) => (before, failures),
                Err(VersionError::NoTests) => (before, Vec::new()),
                Err(error) => return Err(Fault::conflict(error.to_string())),
            };
            let passed = record.shown.state == State::Tested && failures.is_empty() && tests > 0;
            rulesets::update(&mut write.tx, tenant, &record);
            write.acted(record.act("rules.tested", json!({"passed": passed})));
            write.done(RulesetTests { ruleset: record.shown, passed, tests, failures })
        });
        write.await
    }
}
