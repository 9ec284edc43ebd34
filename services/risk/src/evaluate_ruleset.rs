//! Tries a version of the rules on a request, and shows how the verdict came about.

use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::ids;
use crate::rules::{RuleError, Verdict};

/// The outcome of rules for one request.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RulesetEvaluation)]
pub struct Evaluated {
    /// The verdict with its trace; null if the rules could not decide.
    #[schema(value_type = Option<Object>)]
    pub verdict: Option<Verdict>,
    /// The error; null if there is a verdict.
    #[schema(value_type = Option<Object>)]
    pub error: Option<RuleError>,
    /// The request that was decided about.
    #[schema(value_type = Object)]
    pub request: Value,
}

impl Risk {
    /// Decides about a request, or about the one that the rules got for an assessment. Nothing is stored.
    pub async fn evaluate_ruleset(
        &self,
        call: &Call,
        (number, fields): (u64, &Map<String, Value>),
    ) -> Result<Evaluated, Fault> {
        let mut reader = FieldReader::new(fields);
        let assessment = reader.text("assessment_id", 100);
        let given = fields.get("request").filter(|request| request.is_object());
        if given.is_some() != assessment.is_empty() {
            reader.refuse("request", "INVALID_INPUT", "give either request, an object, or assessment_id");
        }
        reader.finish()?;
        let ruleset = self.ruleset_of(call, number).await?;
        let request = match given {
            Some(request) => request.clone(),
            None => {
                let id = ids::ASSESSMENT.parse(&assessment).ok_or_else(crate::no_assessment)?;
                let facts = self.assessed(call, id).await?.basis.facts;
                facts.ok_or_else(|| Fault::conflict("the assessment was stored without its request"))?.request
            }
        };
        let (verdict, error) = match ruleset.evaluate(&request, true) {
            Ok(verdict) => (Some(verdict), None),
            Err(error) => (None, Some(error)),
        };
        Ok(Evaluated { verdict, error, request })
    }
}
