//! The events of this service. They say nothing about a person, because a log keeps them.

use pando_service::EventType;
use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::assessment::Assessed;
use super::compliance::{CheckStatus, CheckType};
use super::ids;
use super::monitoring::{MediaAlert, Monitoring};
use crate::rules::{Decision, Level};

/// The event of an assessment that is done.
pub(crate) const COMPLETED: &str = "assessment.completed";
/// The event of a prediction that differs from the one before.
pub(crate) const PREDICTED: &str = "prediction.updated";
/// The event of an article that mentions a monitored name.
pub(crate) const MEDIA: &str = "media.alert";
/// The event of a compliance check that failed.
pub(crate) const COMPLIANCE: &str = "compliance.alert";

/// The types of events of this service.
pub(crate) const EVENTS: &[EventType] = &[
    EventType::of::<Completed>(COMPLETED, "A business was assessed."),
    EventType::of::<Predicted>(
        PREDICTED,
        "The prediction for an assessment and a horizon is new, or has changed.",
    ),
    EventType::of::<ComplianceAlert>(COMPLIANCE, "A check of compliance failed."),
    EventType::of::<MediaAlerted>(MEDIA, "An article mentions a monitored name."),
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

/// The data of [`PREDICTED`].
#[derive(Serialize, ToSchema)]
pub(crate) struct Predicted {
    /// The id of the assessment.
    pub(crate) id: String,
    pub(crate) business_id: String,
    pub(crate) horizon_months: u8,
    pub(crate) predicted_score: f64,
    pub(crate) predicted_level: Level,
    pub(crate) industry: String,
    pub(crate) country: String,
    pub(crate) version: i64,
}

pub(crate) fn predicted(assessment: Uuid, data: Predicted) -> Change {
    let version = data.version;
    let data = serde_json::to_value(data).unwrap_or_default();
    Change { event: PREDICTED, id: assessment, version, data }
}

/// The data of [`COMPLIANCE`].
#[derive(Serialize, ToSchema)]
pub(crate) struct ComplianceAlert {
    /// The id of the check.
    pub(crate) id: String,
    pub(crate) business_id: String,
    pub(crate) country: String,
    pub(crate) compliance_status: CheckStatus,
    pub(crate) failed_checks: Vec<CheckType>,
}

pub(crate) fn compliance_alert(check: Uuid, data: &ComplianceAlert) -> Change {
    Change { event: COMPLIANCE, id: check, version: 1, data: serde_json::to_value(data).unwrap_or_default() }
}

/// The data of [`MEDIA`].
#[derive(Serialize, ToSchema)]
struct MediaAlerted {
    /// The id of the alert.
    id: String,
    monitoring_id: String,
    business_id: String,
    article_id: String,
    #[serde(rename = "type")]
    kind: String,
    severity: String,
}

/// The subject is the monitoring: its alerts come in the order in which they were found.
pub(crate) fn media_alert(monitoring: &Monitoring, alert: &MediaAlert) -> Change {
    let data = MediaAlerted {
        id: alert.id.clone(),
        monitoring_id: ids::monitoring(monitoring.id),
        business_id: ids::business(monitoring.business_id),
        article_id: alert.article_id.clone(),
        kind: alert.kind.clone(),
        severity: alert.severity.clone(),
    };
    let data = serde_json::to_value(data).unwrap_or_default();
    Change { event: MEDIA, id: monitoring.id, version: 1, data }
}
