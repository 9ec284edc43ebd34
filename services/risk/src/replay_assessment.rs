//! Makes a decision again from everything that was stored with it, and compares.

use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Risk;
use crate::decide::{Origin, judged};
use crate::domain::assessment::{Assessed, Assessment};
use crate::domain::ids;
use crate::domain::json_difference::{JsonDifference, differences};
use crate::evidence::Evidence;
use crate::model::{FEATURE_COUNT, Features};

/// How many differences of one assessment are shown.
const DIFFERENCES_MAX: usize = 100;

/// A decision that was made again, with the model and the rules that made it first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AssessmentReplay)]
pub struct Replay {
    /// The assessment.
    pub assessment_id: String,
    /// Whether both are the same, byte for byte.
    pub same: bool,
    /// The places in which they differ, at most 100: `before` is the stored one, and `after` the new one.
    pub differences: Vec<JsonDifference>,
    /// The assessment as it is stored.
    pub stored: Assessment,
    /// The assessment as it was made again.
    pub replayed: Assessment,
    /// The hash of the model that decided both times.
    pub model_hash: String,
    /// The hash of the rules that decided both times.
    pub ruleset_hash: String,
}

impl Risk {
    /// Makes the decision of an assessment again.
    pub async fn replay_assessment(&self, call: &Call, id: Uuid) -> Result<Replay, Fault> {
        let assessed = self.assessed(call, id).await?;
        replay(&self.0.evidence, call, &assessed).await
    }
}

/// Makes the decision of a stored assessment again. One that lacks a part of what it was made from is a conflict.
pub(crate) async fn replay(evidence: &Evidence, call: &Call, stored: &Assessed) -> Result<Replay, Fault> {
    let basis = &stored.basis;
    let (Some(facts), Some(values)) = (basis.facts.clone(), features_of(&basis.features)) else {
        return Err(not_replayable("it is from before all facts of a decision were kept"));
    };
    let hashes = (basis.model_hash.clone(), facts.card_hash.clone());
    let model = evidence.model(call, hashes).await?;
    let model = model.ok_or_else(|| not_replayable("the model that made it was not kept"))?;
    let ruleset = evidence.ruleset(call, &basis.ruleset_hash).await?;
    let ruleset = ruleset.ok_or_else(|| not_replayable("the rules that made it were not kept"))?;
    let (user, business) = (stored.user.clone(), stored.business.clone());
    let scored = model.scored(&values);
    let again = judged(Origin { id: stored.id, user, business, values, facts }, (&model, scored), &ruleset)?;
    let (shown, shown_again) = (stored.shown(), again.shown());
    let (mut found, _) = differences(&whole(stored)?, &whole(&again)?, DIFFERENCES_MAX);
    let same_bytes = serde_json::to_vec(&shown)? == serde_json::to_vec(&shown_again)?;
    if found.is_empty() && !same_bytes {
        // Such as the sign of a zero, which no comparison of values sees.
        found.push(JsonDifference {
            pointer: String::new(),
            before: json!(shown),
            after: json!(shown_again),
        });
    }
    Ok(Replay {
        assessment_id: ids::ASSESSMENT.show(stored.id),
        same: found.is_empty(),
        differences: found,
        stored: shown,
        replayed: shown_again,
        model_hash: basis.model_hash.clone(),
        ruleset_hash: basis.ruleset_hash.clone(),
    })
}

/// All of an assessment: the answer that callers see, and the basis, which has the contributions.
fn whole(assessed: &Assessed) -> Result<Value, Fault> {
    Ok(json!({
        "assessment": serde_json::to_value(assessed.shown())?,
        "basis": serde_json::to_value(&assessed.basis)?,
    }))
}

fn features_of(values: &[Option<f64>]) -> Option<Features> {
    let values: Vec<f64> = values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    <[f64; FEATURE_COUNT]>::try_from(values).ok()
}

/// The class by which a caller can tell that this is no difference and no error.
fn not_replayable(reason: &str) -> Fault {
    Fault::conflict(format!("the assessment cannot be made again: {reason}")).named(NOT_REPLAYABLE)
}

/// The name of the fault of an assessment that cannot be made again.
pub(crate) const NOT_REPLAYABLE: &str = "NOT_REPLAYABLE";
