//! Lists and shows the versions of a tenant's rules.

use std::sync::Arc;

use pando_service::prelude::*;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::json_difference::{JsonDifference, differences};
use crate::domain::ruleset::{RulesetVersion, no_ruleset};
use crate::rules::{Ruleset, State};
use crate::store::rulesets;

/// How many differences of two documents are shown.
const DIFFERENCES_MAX: usize = 1_000;

/// A page of versions, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RulesetPage {
    /// The versions.
    pub rulesets: Vec<RulesetVersion>,
    /// The number of the version that decides. 0 stands for the shipped rules.
    pub live: u64,
    /// The number of the version that runs in the shadow.
    pub shadow: Option<u64>,
    /// The `before` of the next page; null on the last one.
    pub next: Option<u64>,
}

/// A version with its document.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RulesetShown {
    /// The version.
    pub ruleset: RulesetVersion,
    /// Its document.
    #[schema(value_type = Object)]
    pub document: Value,
}

/// The differences between the documents of two versions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RulesetDifferences {
    /// The first version.
    pub from: u64,
    /// The second one.
    pub to: u64,
    /// Where the documents differ: at most 1,000 places.
    pub differences: Vec<JsonDifference>,
    /// Whether there are more.
    pub more: bool,
}

impl Risk {
    /// A page of the versions of a tenant, the newest first.
    pub async fn list_rulesets(
        &self,
        call: &Call,
        (before, count): (Option<u64>, usize),
    ) -> Result<RulesetPage, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let before = before.unwrap_or(u64::MAX);
        let mut found = rulesets::page(&read, tenant, (before, count + 1)).await?;
        let more = found.len() > count;
        found.truncate(count);
        let next = found.last().filter(|_| more).map(|last| last.shown.number);
        let live = rulesets::live(&read, tenant).await?.map_or(0, |live| live.shown.number);
        let ground = rulesets::ground(&read, tenant).await?;
        let shadow = ground.shadow.and_then(|number| u64::try_from(number).ok());
        let rulesets = found.into_iter().map(|record| record.shown).collect();
        Ok(RulesetPage { rulesets, live, shadow, next })
    }

    /// A version with its document. Version 0 is the shipped one.
    pub async fn get_ruleset(&self, call: &Call, number: u64) -> Result<RulesetShown, Fault> {
        let ruleset = self.ruleset_version(call, number).await?;
        let document = self.kept_document(call, &ruleset.hash).await?;
        Ok(RulesetShown { ruleset, document: serde_json::from_str(&document)? })
    }

    /// The differences between the documents of two versions.
    pub async fn compare_rulesets(
        &self,
        call: &Call,
        (from, to): (u64, u64),
    ) -> Result<RulesetDifferences, Fault> {
        let (one, other) = (self.get_ruleset(call, from).await?, self.get_ruleset(call, to).await?);
        let (differences, more) = differences(&one.document, &other.document, DIFFERENCES_MAX);
        Ok(RulesetDifferences { from, to, differences, more })
    }

    /// The rules of a version, ready to decide.
    pub(crate) async fn ruleset_of(&self, call: &Call, number: u64) -> Result<Arc<Ruleset>, Fault> {
        if number == 0 {
            return Ok(Arc::clone(&self.0.ruleset));
        }
        let hash = self.ruleset_version(call, number).await?.hash;
        let kept = self.0.evidence.ruleset(call, &hash).await?;
        kept.ok_or_else(|| Fault::internal(format!("the document {hash} of a ruleset is gone")))
    }

    pub(crate) async fn ruleset_version(&self, call: &Call, number: u64) -> Result<RulesetVersion, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        if number > 0 {
            return Ok(rulesets::find(&read, tenant, number).await?.ok_or_else(no_ruleset)?.shown);
        }
        let is_live = rulesets::live(&read, tenant).await?.is_none();
        let shipped = &self.0.ruleset;
        Ok(RulesetVersion {
            number: 0,
            name: shipped.name().to_owned(),
            hash: shipped.hash().to_owned(),
            state: if is_live { State::Published } else { State::Retired },
            note: "The rules that come with the program.".to_owned(),
            restores: None,
            rolled_back_from: None,
            version: 1,
            created_by: String::new(),
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
            published_by: None,
            published_at: None,
        })
    }
}
