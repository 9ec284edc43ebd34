//! The ground that decisions of a tenant stand on at a moment: models, rules and lists.

use std::collections::HashMap;
use std::sync::Arc;

use pando_service::prelude::*;

use crate::Risk;
use crate::domain::business::{Business, ModelChoice};
use crate::grounds::{Shadow, TenantGround};
use crate::lists::Lists;
use crate::model::{Model, ModelType};
use crate::rules::Ruleset;
use crate::store::{evidence, rulesets};

/// Everything besides a business and its history that decides about it. It never changes: a later decision gets another one.
pub(crate) struct Ground {
    pub(crate) models: Arc<HashMap<ModelType, Arc<Model>>>,
    pub(crate) tenant: Arc<TenantGround>,
    pub(crate) lists: Lists,
}

impl Risk {
    /// The ground for decisions that are stored: its models and rules are kept before the first of them.
    pub(crate) async fn ground(&self, call: &Call) -> Result<Ground, Fault> {
        let (tenant, models) = (self.tenant_ground(call).await?, self.0.models.in_use());
        // The document of a published version was kept when it was written.
        let document = tenant.is_shipped.then(Ruleset::default_document);
        self.0.evidence.keep(call, models.values(), (tenant.ruleset.hash(), document)).await?;
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
        Ok(TenantGround { generation: row.generation, ruleset, is_shipped: live.is_none(), shadow })
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
    /// The model that a business asks for. Without a model there is no score.
    pub(crate) fn model(&self, business: &Business) -> Result<&Model, Fault> {
        let kind = match business.model_type {
            ModelChoice::Auto => ModelType::auto(business.prediction_horizon),
            ModelChoice::GradientBoosting => ModelType::GradientBoosting,
            ModelChoice::Sequence => ModelType::Sequence,
            ModelChoice::Ensemble => ModelType::Ensemble,
        };
        let missing = || Fault::internal(format!("no model {kind} is in use")).named("MODEL_ERROR");
        Ok(self.models.get(&kind).ok_or_else(missing)?)
    }
}
