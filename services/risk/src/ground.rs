//! The ground that decisions of a tenant stand on at a moment: models, rules and lists.

use std::collections::HashMap;
use std::sync::Arc;

use pando_service::prelude::*;

use crate::Risk;
use crate::change_lists::LISTS_MAX;
use crate::domain::business::Business;
use crate::domain::facts::ListSeen;
use crate::grounds::{Shadow, TenantGround};
use crate::lists::Lists;
use crate::model::{Model, ModelType};
use crate::remember_false_positive::REMEMBERED_MAX;
use crate::rules::{Levels, Ruleset};
use crate::screening::{Match, Query, QueryError};
use crate::store::{evidence, rulesets, tenant_lists as stored};
use crate::tenant_lists::TenantLists;

/// Everything besides a business and its history that decides about it. It never changes: a later decision gets another one.
pub(crate) struct Ground {
    pub(crate) models: Arc<HashMap<ModelType, Arc<Model>>>,
    pub(crate) tenant: Arc<TenantGround>,
    pub(crate) lists: Lists,
}

impl Risk {
    /// The ground for decisions that are stored: its models and rules are kept before the first of them.
    pub(crate) async fn ground(&self, call: &Call) -> Result<Ground, Fault> {
        let ground = self.present_ground(call).await?;
        // The document of a published version was kept when it was written.
        let document = ground.tenant.is_shipped.then(Ruleset::default_document);
        let rules = (ground.tenant.ruleset.hash(), document);
        self.0.evidence.keep(call, ground.models.values(), rules).await?;
        Ok(ground)
    }

    /// The ground as it is, for what is not stored.
    pub(crate) async fn present_ground(&self, call: &Call) -> Result<Ground, Fault> {
        let (tenant, models) = (self.tenant_ground(call).await?, self.0.models.in_use());
        Ok(Ground { models, tenant, lists: self.0.lists.clone() })
    }

    /// The rules and lists of a tenant. A change that another process makes counts here after `recheck_ms` at the latest.
    pub(crate) async fn tenant_ground(&self, call: &Call) -> Result<Arc<TenantGround>, Fault> {
        let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
        let asked = (now, self.0.options.recheck_ms);
        if let Some((ground, true)) = self.0.grounds.held(tenant, asked) {
            return Ok(ground);
        }
        let _loading = self.0.grounds.loading.lock().await;
        let held = self.0.grounds.held(tenant, asked);
        if let Some((ground, true)) = held {
            return Ok(ground);
        }
        // The counter is read first: what changes while the rest is read shows at the next comparison.
        let read = self.0.parts.database.read_primary(call);
        let row = rulesets::ground(&read, tenant).await?;
        let ground = match held {
            Some((ground, _)) if ground.generation == row.generation => ground,
            _ => Arc::new(self.load_ground(call, row).await?),
        };
        self.0.grounds.hold(tenant, &ground, now);
        Ok(ground)
    }

    async fn load_ground(&self, call: &Call, row: rulesets::GroundRow) -> Result<TenantGround, Fault> {
        let (read, tenant) = (self.0.parts.database.read_primary(call), call.tenant());
        let live = rulesets::live(&read, tenant).await?;
        let ruleset = match &live {
            Some(live) => Arc::new(self.kept_ruleset(call, &live.shown.hash).await?),
            None => Arc::clone(&self.0.ruleset),
        };
        let shadow = match row.shadow.and_then(|number| u64::try_from(number).ok()) {
            None => None,
            Some(number) => {
                let record = rulesets::find(&read, tenant, number).await?;
                let record = record.ok_or_else(|| Fault::internal("the version in the shadow is gone"))?;
                let ruleset = Arc::new(self.kept_ruleset(call, &record.shown.hash).await?);
                Some(Shadow { number, ruleset })
            }
        };
        let lists = if row.generation > 0 { self.load_lists(call).await? } else { TenantLists::default() };
        Ok(TenantGround { generation: row.generation, ruleset, is_shipped: live.is_none(), shadow, lists })
    }

    async fn load_lists(&self, call: &Call) -> Result<TenantLists, Fault> {
        let (read, tenant) = (self.0.parts.database.read_primary(call), call.tenant());
        let mut lists = Vec::new();
        for list in stored::all(&read, tenant, LISTS_MAX).await? {
            let count = self.0.options.list_entries_max;
            let entries = stored::entries(&read, (tenant, list.id), ("", count)).await?;
            lists.push((list, entries));
        }
        TenantLists::new(lists, stored::remembered(&read, tenant, REMEMBERED_MAX).await?)
    }

    /// Has this process load the tenant's ground anew once the write is committed.
    pub(crate) fn forget_ground_after(&self, write: &mut Write) {
        let (risk, tenant) = (self.clone(), write.call.tenant().clone());
        write.tx.after_commit(move || risk.0.grounds.forget(&tenant));
    }

    /// The document of a version, which was kept when it was written.
    pub(crate) async fn kept_document(&self, call: &Call, hash: &str) -> Result<String, Fault> {
        if hash == self.0.ruleset.hash() {
            return Ok(Ruleset::default_document().to_owned());
        }
        let read = self.0.parts.database.read_primary(call);
        let document = evidence::find_ruleset(&read, call.tenant(), hash).await?;
        document.ok_or_else(|| Fault::internal(format!("the document {hash} of a ruleset is gone")))
    }

    /// The ruleset of a version, read anew.
    pub(crate) async fn kept_ruleset(&self, call: &Call, hash: &str) -> Result<Ruleset, Fault> {
        Ruleset::parse(&self.kept_document(call, hash).await?)
            .map_err(|faults| Fault::internal(format!("the kept ruleset {hash} has {} faults", faults.len())))
    }
}

impl Ground {
    /// Whether there is a list to screen names against.
    pub(crate) fn can_screen(&self) -> bool {
        !self.lists.is_empty() || self.tenant.lists.has_names()
    }

    /// The thresholds of levels for a business.
    pub(crate) fn levels(&self, business: &Business) -> Result<Levels, Fault> {
        let policy = self.tenant.ruleset.policy(&business.industry);
        policy
            .map(|(_, policy)| policy.levels)
            .ok_or_else(|| Fault::internal("no policy is for this industry"))
    }

    /// The lists that names are screened against, with their versions.
    pub(crate) fn seen(&self) -> Vec<ListSeen> {
        self.lists.seen().into_iter().chain(self.tenant.lists.seen()).collect()
    }

    /// The matches of a query on the operator's lists and those of the tenant, the best first.
    pub(crate) fn search(&self, query: &Query<'_>) -> Result<Vec<Match<'_>>, QueryError> {
        let mut found = self.lists.search(query)?;
        found.extend(self.tenant.lists.search(query)?);
        found.sort_by(|one, other| {
            other.score.total_cmp(&one.score).then_with(|| one.entry.id.cmp(&other.entry.id))
        });
        found.truncate(query.limit);
        Ok(found)
    }

    /// The model that a business asks for. Without a model there is no score.
    pub(crate) fn model(&self, business: &Business) -> Result<&Model, Fault> {
        let kind = business.model_type.kind(business.prediction_horizon);
        let missing = || Fault::internal(format!("no model {kind} is in use")).named("MODEL_ERROR");
        Ok(self.models.get(&kind).ok_or_else(missing)?)
    }
}
