//! The events of this service. They say nothing about a person, because a log keeps them.

use pando_service::EventType;
use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::assessment::Assessed;
use super::batch::{self, BatchEvent};
use super::ids;
use crate::rules::{Decision, Level};

/// The event of an assessment that is done.
pub(crate) const COMPLETED: &str = "assessment.completed";

/// The types of events of this service.
pub(crate) const EVENTS: &[EventType] = &[
    EventType::of::<Completed>(COMPLETED, "A business was assessed."),
    EventType::of::<BatchEvent>(batch::STARTED, "The job of a batch began."),
    EventType::of::<BatchEvent>(batch::COMPLETED, "Each business of a batch has its outcome."),
    EventType::of::<BatchEvent>(batch::FAILED, "A batch failed too often."),
];

/// The data of [`COMPLETED`].
#[derive(Serialize, ToSchema)]
struct Completed {
    /// The id of the assessment.
    id: String,
    business_id: String,
    risk_score: f64,
    risk_level: Level,
    decision: Decision,
    industry: String,
    country: String,
}

pub(crate) fn completed(assessed: &Assessed) -> Change {
    let data = Completed {
        id: ids::assessment(assessed.id),
        business_id: ids::business(assessed.business_id),
        risk_score: assessed.score,
        risk_level: assessed.level,
        decision: assessed.decision,
        industry: assessed.business.industry.clone(),
        country: assessed.business.country.clone(),
    };
    // Texts and numbers: there is nothing that JSON cannot hold.
    let data = serde_json::to_value(data).unwrap_or_default();
    Change { event: COMPLETED, id: assessed.id, version: assessed.version, data }
}
