//! The events of this service. They say nothing about a person, because a log keeps them.

use pando_service::EventType;
use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::assessment::Assessed;
use super::batch::{self, BatchEvent};
use super::case::{CaseOutcome, CaseRecord};
use super::compliance::{CheckStatus, CheckType};
use super::facts::MatchSeen;
use super::ids;
use super::monitoring::{MediaAlert, Monitoring};
use crate::rules::{Decision, Level};
use crate::screening::MatchType;

/// The event of an assessment that is done.
pub(crate) const COMPLETED: &str = "assessment.completed";
/// The event of a prediction that differs from the one before.
pub(crate) const PREDICTED: &str = "prediction.updated";
/// The event of an article that mentions a monitored name.
pub(crate) const MEDIA: &str = "media.alert";
/// The event of a compliance check that failed.
pub(crate) const COMPLIANCE: &str = "compliance.alert";

/// The event of a case that has an outcome.
const CASE_CLOSED: &str = "case.closed";

/// The event of a business under monitoring that matches.
const SANCTIONS_MATCH: &str = "sanctions.match";

/// The types of events of this service.
pub(crate) const EVENTS: &[EventType] = &[
    EventType::of::<Completed>(COMPLETED, "A business was assessed."),
    EventType::of::<BatchEvent>(batch::STARTED, "The job of a batch began."),
    EventType::of::<BatchEvent>(batch::COMPLETED, "Each business of a batch has its outcome."),
    EventType::of::<BatchEvent>(batch::FAILED, "A batch failed too often."),
    EventType::of::<SanctionsMatch>(
        SANCTIONS_MATCH,
        "A business under monitoring matches entries that have changed.",
    ),
    EventType::of::<CaseClosed>(CASE_CLOSED, "Two persons have settled the outcome of a case."),
    EventType::of::<Predicted>(
        PREDICTED,
        "The prediction for an assessment and a horizon is new, or has changed.",
    ),
    EventType::of::<ComplianceAlert>(COMPLIANCE, "A check of compliance failed."),
    EventType::of::<MediaAlerted>(MEDIA, "An article mentions a monitored name."),
];

/// The data of [`CASE_CLOSED`].
#[derive(Serialize, ToSchema)]
struct CaseClosed {
    /// The id of the case.
    id: String,
    kind: String,
    assessment_id: Option<String>,
    business_id: String,
    outcome: Option<CaseOutcome>,
}

pub(crate) fn case_closed(case: &CaseRecord) -> Change {
    let shown = case.shown.clone();
    let data = CaseClosed {
        id: shown.id,
        kind: shown.kind,
        assessment_id: shown.assessment_id,
        business_id: shown.business_id,
        outcome: shown.outcome,
    };
    let data = serde_json::to_value(data).unwrap_or_default();
    Change { event: CASE_CLOSED, id: case.id, version: shown.version, data }
}

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
        id: ids::ASSESSMENT.show(assessed.id),
        business_id: ids::BUSINESS.show(assessed.business_id),
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

/// The data of [`SANCTIONS_MATCH`].
#[derive(Serialize, ToSchema)]
struct SanctionsMatch {
    /// The case that was opened.
    case_id: String,
    business_id: String,
    matches: Vec<MatchedEntry>,
}

/// An entry that matches.
#[derive(Serialize, ToSchema)]
struct MatchedEntry {
    source: String,
    entry_id: String,
    score: f64,
    #[schema(value_type = String)]
    match_type: MatchType,
}

pub(crate) fn sanctions_match(case: &CaseRecord, matches: &[MatchSeen]) -> Change {
    let entry = |found: &MatchSeen| MatchedEntry {
        source: found.source.clone(),
        entry_id: found.entry_id.clone(),
        score: found.score,
        match_type: found.match_type,
    };
    let data = SanctionsMatch {
        case_id: case.shown.id.clone(),
        business_id: case.shown.business_id.clone(),
        matches: matches.iter().map(entry).collect(),
    };
    let data = serde_json::to_value(data).unwrap_or_default();
    Change { event: SANCTIONS_MATCH, id: case.id, version: case.shown.version, data }
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
        monitoring_id: ids::MONITORING.show(monitoring.id),
        business_id: ids::BUSINESS.show(monitoring.business_id),
        article_id: alert.article_id.clone(),
        kind: alert.kind.clone(),
        severity: alert.severity.clone(),
    };
    let data = serde_json::to_value(data).unwrap_or_default();
    Change { event: MEDIA, id: monitoring.id, version: 1, data }
}
