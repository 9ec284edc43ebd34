//! The decision about a business: features, score, lists and rules, without a look at the database.

use pando_service::prelude::*;
use serde_json::json;

use crate::Risk;
use crate::domain::assessment::{Assessed, AssessmentStatus, Basis, Reason};
use crate::domain::business::Business;
use crate::domain::factors::{Part, factors};
use crate::model::{BusinessInputs, FEATURES, HistoryInputs, Inputs, Model, ModelError, Screened, features};
use crate::rules::Verdict;
use crate::screening::{MatchType, Query, QueryError};

impl Risk {
    /// Decides about a business with this history.
    pub(crate) fn decide(
        &self,
        call: &Call,
        business: Business,
        history: HistoryInputs,
        now: Timestamp,
    ) -> Result<Assessed, Fault> {
        let (screened, best) = self.screened(&business)?.unzip();
        let history = HistoryInputs { screened, ..history };
        let model = self.model(&business)?;
        let values = features(&Inputs { business: inputs(&business), history });
        let (evaluation, explanation) =
            self.0.measured.time(model.kind(), || (model.evaluate(&values), model.explain(&values)));
        let verdict = self.verdict(&business, &history, (evaluation.score, best.flatten()))?;
        let id = self.0.parts.clock.fresh_id();
        let created_at = crate::domain::ids::moment_of(id);
        let source = format!("model {} {}", model.kind(), model.version());
        let parts = FEATURES.iter().zip(explanation.contributions).map(|(spec, contribution)| Part {
            feature: spec.name,
            description: spec.description,
            contribution,
            source: &source,
            confidence: evaluation.confidence,
            at: now,
        });
        let factors = factors(parts);
        let basis = self.basis(&model, &values, (explanation.base, &explanation.contributions), &verdict);
        Ok(Assessed {
            id,
            user: call.actor().to_owned(),
            business_id: business.id(),
            business,
            status: AssessmentStatus::Completed,
            score: evaluation.score,
            level: verdict.level,
            confidence: evaluation.confidence,
            decision: verdict.decision,
            basis,
            factors,
            created_at,
            updated_at: created_at,
            version: 1,
        })
    }

    /// The model that a request asks for.
    fn model(&self, business: &Business) -> Result<std::sync::Arc<Model>, Fault> {
        let kind = business.model_type.kind(business.prediction_horizon);
        self.0.models.current(kind).map_err(|error| {
            self.0.measured.failed(kind);
            no_model(error)
        })
    }

    /// The result of screening a name, and the type of the best match; none if there are no lists.
    pub(crate) fn screened(
        &self,
        business: &Business,
    ) -> Result<Option<(Screened, Option<MatchType>)>, Fault> {
        if self.0.lists.is_empty() {
            return Ok(None);
        }
        let query = Query {
            country: Some(&business.country),
            threshold: f64::from(self.0.options.match_percent_min) / 100.0,
            ..Query::new(&business.business_name)
        };
        let matches = match self.0.lists.search(&query) {
            Ok(matches) => matches,
            // A name of signs alone is on no list, and a person should look at it.
            Err(QueryError::NoWords) => return Ok(None),
            Err(error) => return Err(Fault::internal(error)),
        };
        let hits = u32::try_from(matches.len()).unwrap_or(u32::MAX);
        let best = matches.first();
        let screened = Screened { hits, best_score: best.map_or(0.0, |best| best.score) };
        Ok(Some((screened, best.map(|best| best.match_type))))
    }

    fn verdict(
        &self,
        business: &Business,
        history: &HistoryInputs,
        (score, best): (f64, Option<MatchType>),
    ) -> Result<Verdict, Fault> {
        let screening = match (history.screened, best) {
            (None, _) => json!({"status": "none"}),
            (Some(_), None) => json!({"status": "clear"}),
            (Some(screened), Some(best)) => {
                json!({"status": "match", "score": screened.best_score, "match_type": best})
            }
        };
        let request = json!({
            "score": score,
            "industry": business.industry,
            "lists": {"blocked": false},
            "screening": screening,
            "velocity": {
                "last_hour": history.assessed_1h, "last_day": history.assessed_24h,
                "last_week": history.assessed_7d,
            },
            "completeness": business.completeness(),
        });
        self.0.ruleset.evaluate(&request, false).map_err(Fault::internal)
    }

    fn basis(
        &self,
        model: &Model,
        values: &[f64],
        (base, contributions): (f64, &[f64]),
        verdict: &Verdict,
    ) -> Basis {
        let reasons = verdict.reasons.iter();
        let reasons = reasons.map(|reason| Reason {
            code: reason.code.clone(),
            text: reason.text.clone(),
            weight: reason.weight,
        });
        Basis {
            features: values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect(),
            base,
            contributions: contributions.to_vec(),
            reasons: reasons.collect(),
            model_type: model.kind().name().to_owned(),
            model_version: model.version(),
            model_hash: model.hash().to_owned(),
            ruleset_version: self.0.ruleset.name().to_owned(),
            ruleset_hash: self.0.ruleset.hash().to_owned(),
            levels: [verdict.levels.medium, verdict.levels.high, verdict.levels.critical],
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
