//! The decision about a business: features, score, lists and rules, without a look at the database.

use pando_service::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Risk;
use crate::domain::assessment::{Assessed, AssessmentStatus, Basis, Reason};
use crate::domain::business::Business;
use crate::domain::factors::{Part, factors};
use crate::domain::facts::{Facts, MatchSeen};
use crate::domain::ids;
use crate::domain::list::ListKind;
use crate::ground::Ground;
use crate::model::{
    BusinessInputs, Evaluation, Explanation, FEATURES, Features, HistoryInputs, Inputs, Model, ModelError,
    Screened, features,
};
use crate::rules::{Ruleset, Verdict};
use crate::screening::{MATCHES_MAX, Match, Query, QueryError};

/// Everything that a decision is computed from, besides the model and the rules.
pub(crate) struct Origin {
    pub(crate) id: Uuid,
    pub(crate) user: String,
    pub(crate) business: Business,
    pub(crate) values: Features,
    pub(crate) facts: Facts,
}

impl Risk {
    /// Decides about a business with this history.
    pub(crate) fn decide(
        &self,
        (call, ground): (&Call, &Ground),
        business: Business,
        history: HistoryInputs,
        now: Timestamp,
    ) -> Result<Assessed, Fault> {
        let model = ground.model(&business)?;
        let matches = self.matches(ground, &business)?;
        let hits = ground.tenant.lists.hits(&business, self.0.options.block_percent_min)?;
        let on = |kind: ListKind| hits.iter().any(|hit| hit.kind == kind);
        let screened = matches.as_deref().map(screened);
        let history = HistoryInputs { screened, ..history };
        let values = features(&Inputs { business: inputs(&business), history });
        let screening = screening(matches.as_deref());
        let request = json!({
            "industry": business.industry,
            "lists": {"blocked": on(ListKind::Block), "allowed": on(ListKind::Allow)},
            "screening": screening,
            "velocity": {
                "last_hour": history.assessed_1h, "last_day": history.assessed_24h,
                "last_week": history.assessed_7d,
            },
            "completeness": business.completeness(),
        });
        let facts = Facts {
            request,
            card_hash: model.card_hash().to_owned(),
            lists: matches.as_ref().map(|_| ground.seen()).unwrap_or_default(),
            matches: matches.unwrap_or_default(),
            hits,
            decided_at: now,
        };
        let (id, user) = (self.0.parts.clock.fresh_id(), call.actor().to_owned());
        let scored = self.0.measured.time(model.kind(), || model.scored(&values));
        judged(Origin { id, user, business, values, facts }, (model, scored), &ground.tenant.ruleset)
    }

    /// The result of screening the name of a business; none if there is no list.
    pub(crate) fn screened(&self, ground: &Ground, business: &Business) -> Result<Option<Screened>, Fault> {
        Ok(self.matches(ground, business)?.as_deref().map(screened))
    }

    /// The entries that match the name of a business; none if nothing was screened.
    fn matches(&self, ground: &Ground, business: &Business) -> Result<Option<Vec<MatchSeen>>, Fault> {
        if !ground.can_screen() {
            return Ok(None);
        }
        let (id, lists) = (business.id(), &ground.tenant.lists);
        let plain = Query::new(&business.business_name);
        let query = Query {
            country: Some(&business.country),
            // False matches take no place from true ones.
            limit: (plain.limit + lists.false_count_of(id)).min(MATCHES_MAX),
            threshold: f64::from(self.0.options.match_percent_min) / 100.0,
            ..plain
        };
        let found = match ground.search(&query) {
            Ok(found) => found,
            // A name of signs alone is on no list, and a person should look at it.
            Err(QueryError::NoWords) => return Ok(None),
            Err(error) => return Err(Fault::internal(error)),
        };
        let seen = |found: &Match<'_>| MatchSeen::of(found, lists.is_false(id, found.entry));
        Ok(Some(found.iter().map(seen).collect()))
    }
}

/// Computes the score and the verdict. The same origin, model and rules always give the same assessment, bit for bit.
pub(crate) fn judged(
    origin: Origin,
    (model, (evaluation, explanation)): (&Model, (Evaluation, Explanation)),
    ruleset: &Ruleset,
) -> Result<Assessed, Fault> {
    let Origin { id, user, business, values, mut facts } = origin;
    facts.request["score"] = evaluation.score.into();
    let verdict = ruleset.evaluate(&facts.request, false).map_err(Fault::internal)?;
    let created_at = ids::moment_of(id);
    let source = format!("model {} {}", model.kind(), model.version());
    let parts = FEATURES.iter().zip(explanation.contributions).map(|(spec, contribution)| Part {
        feature: spec.name,
        description: spec.description,
        contribution,
        source: &source,
        confidence: evaluation.confidence,
        at: facts.decided_at,
    });
    let factors = factors(parts);
    let (level, decision) = (verdict.level, verdict.decision);
    let basis = Basis {
        features: values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect(),
        base: explanation.base,
        contributions: explanation.contributions.to_vec(),
        reasons: reasons(&verdict),
        model_type: model.kind().name().to_owned(),
        model_version: model.version(),
        model_hash: model.hash().to_owned(),
        ruleset_version: ruleset.name().to_owned(),
        ruleset_hash: ruleset.hash().to_owned(),
        levels: [verdict.levels.medium, verdict.levels.high, verdict.levels.critical],
        facts: Some(facts),
    };
    Ok(Assessed {
        id,
        user,
        business_id: business.id(),
        business,
        status: AssessmentStatus::Completed,
        score: evaluation.score,
        level,
        confidence: evaluation.confidence,
        decision,
        basis,
        factors,
        created_at,
        updated_at: created_at,
        version: 1,
    })
}

fn reasons(verdict: &Verdict) -> Vec<Reason> {
    let shown = |reason: &crate::rules::Reason| Reason {
        code: reason.code.clone(),
        text: reason.text.clone(),
        weight: reason.weight,
    };
    verdict.reasons.iter().map(shown).collect()
}

/// The matches that count, as the model sees them.
fn screened(matches: &[MatchSeen]) -> Screened {
    let counted = || matches.iter().filter(|found| !found.suppressed);
    let hits = u32::try_from(counted().count()).unwrap_or(u32::MAX);
    Screened { hits, best_score: counted().next().map_or(0.0, |best| best.score) }
}

/// The matches that count, as the rules see them.
fn screening(matches: Option<&[MatchSeen]>) -> Value {
    let best = matches.and_then(|matches| matches.iter().find(|found| !found.suppressed));
    match (matches, best) {
        (None, _) => json!({"status": "none"}),
        (Some(_), None) => json!({"status": "clear"}),
        (Some(_), Some(best)) => {
            json!({"status": "match", "score": best.score, "match_type": best.match_type})
        }
    }
}

pub(crate) fn inputs(business: &Business) -> BusinessInputs<'_> {
    let given = |text: &'_ String| (!text.is_empty()).then_some(());
    BusinessInputs {
        name: &business.business_name,
        address: &business.business_address,
        industry: &business.industry,
        country: &business.country,
        phone: given(&business.phone).map(|()| business.phone.as_str()),
        email: given(&business.email).map(|()| business.email.as_str()),
        website: given(&business.website).map(|()| business.website.as_str()),
        annual_revenue: business.figure("annual_revenue"),
        employee_count: business.figure("employee_count"),
        years_in_business: business.figure("years_in_business"),
        horizon_months: business.prediction_horizon,
    }
}

/// Without a model there is no score.
pub(crate) fn no_model(error: ModelError) -> Fault {
    Fault::internal(error).named("MODEL_ERROR")
}
