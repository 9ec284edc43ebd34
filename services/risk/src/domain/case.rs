//! Cases: decisions that people have to look at, two of them for each outcome.

use pando_service::Class;
use pando_service::name_in;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::assessment::Assessed;
use super::ids;
use crate::rules::Decision;

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaseStatus {
    /// Nobody has proposed an outcome.
    Open,
    /// One person has proposed an outcome, and another one must confirm it.
    Proposed,
    /// It has an outcome.
    Closed,
}

/// The outcome of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaseOutcome {
    /// The business is accepted.
    Approve,
    /// The business is refused.
    Decline,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RiskCase)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// `review`, or `monitoring` for new matches of a business that is monitored.
    pub kind: String,
    /// The assessment that opened it. Its own decision stays as it is.
    pub assessment_id: Option<String>,
    /// The business.
    pub business_id: String,
    /// The name of the business.
    pub business_name: String,
    /// Why it was opened: the reasons of the decision, or the new matches.
    #[schema(value_type = Object)]
    pub details: Value,
    /// Where it stands.
    pub status: CaseStatus,
    /// The person who works on it.
    pub assignee: Option<String>,
    /// The outcome that somebody has proposed.
    pub proposed: Option<CaseOutcome>,
    /// The person who has proposed it.
    pub proposed_by: Option<String>,
    /// When it was proposed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub proposed_at: Option<Timestamp>,
    /// The outcome, once another person has confirmed it.
    pub outcome: Option<CaseOutcome>,
    /// The person who has confirmed it.
    pub confirmed_by: Option<String>,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// How many notes it has.
    pub notes: i64,
    /// Counts the changes.
    pub version: i64,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A note of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RiskCaseNote)]
pub struct CaseNote {
    /// The person who wrote it.
    pub author: String,
    /// Its text.
    pub note: String,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub written_at: Timestamp,
}

/// A case as its row has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaseRecord {
    pub(crate) id: Uuid,
    pub(crate) assessment: Option<Uuid>,
    pub(crate) business: Uuid,
    pub(crate) shown: Case,
}

/// A step of the work on a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CaseStep {
    /// Somebody works on it; nobody if there is no name.
    Assign(Option<String>),
    /// Somebody writes a note.
    Note,
    /// Somebody proposes an outcome.
    Propose(CaseOutcome),
    /// Another person confirms it.
    Confirm,
    /// Another person, or the proposer, takes the proposal back.
    Reopen,
}

impl CaseStatus {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("open", Self::Open), ("proposed", Self::Proposed), ("closed", Self::Closed)];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }
}

impl CaseOutcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Decline => "decline",
        }
    }
}

impl CaseRecord {
    /// The case that a decision opens: only `review` does.
    pub(crate) fn of_assessment(id: Uuid, assessed: &Assessed, now: Timestamp) -> Option<Self> {
        (assessed.decision == Decision::Review).then(|| {
            let name = assessed.business.business_name.clone();
            let details = json!({"score": assessed.score, "reasons": assessed.basis.reasons});
            let about = (Some(assessed.id), assessed.business_id, name);
            Self::opened(id, ("review", about), details, now)
        })
    }

    /// An open case about an assessment, if there is one, and a business with its name.
    pub(crate) fn opened(
        id: Uuid,
        (kind, (assessment, business, business_name)): (&str, (Option<Uuid>, Uuid, String)),
        details: Value,
        now: Timestamp,
    ) -> Self {
        let shown = Case {
            id: ids::CASE.show(id),
            kind: kind.to_owned(),
            assessment_id: assessment.map(|id| ids::ASSESSMENT.show(id)),
            business_id: ids::BUSINESS.show(business),
            business_name,
            details,
            status: CaseStatus::Open,
            assignee: None,
            proposed: None,
            proposed_by: None,
            proposed_at: None,
            outcome: None,
            confirmed_by: None,
            closed_at: None,
            notes: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        Self { id, assessment, business, shown }
    }

    /// The case after a step that a person takes. No person confirms an outcome of their own.
    pub(crate) fn stepped(&self, step: &CaseStep, (actor, now): (&str, Timestamp)) -> Result<Self, Fault> {
        let mut shown = self.shown.clone();
        (shown.version, shown.updated_at) = (shown.version + 1, now);
        if shown.status == CaseStatus::Closed && *step != CaseStep::Note {
            return Err(Fault::conflict("the case is closed"));
        }
        match step {
            CaseStep::Assign(assignee) => shown.assignee.clone_from(assignee),
            CaseStep::Note => shown.notes += 1,
            CaseStep::Propose(outcome) => {
                shown.status = CaseStatus::Proposed;
                shown.proposed = Some(*outcome);
                (shown.proposed_by, shown.proposed_at) = (Some(actor.to_owned()), Some(now));
            }
            CaseStep::Confirm => {
                let proposed = shown.proposed.ok_or_else(nothing_proposed)?;
                if shown.proposed_by.as_deref() == Some(actor) {
                    return Err(own_proposal());
                }
                (shown.status, shown.outcome) = (CaseStatus::Closed, Some(proposed));
                (shown.confirmed_by, shown.closed_at) = (Some(actor.to_owned()), Some(now));
            }
            CaseStep::Reopen => {
                shown.proposed.ok_or_else(nothing_proposed)?;
                shown.status = CaseStatus::Open;
                (shown.proposed, shown.proposed_by, shown.proposed_at) = (None, None, None);
            }
        }
        Ok(Self { shown, ..self.clone() })
    }
}

fn nothing_proposed() -> Fault {
    Fault::conflict("nobody has proposed an outcome")
}

fn own_proposal() -> Fault {
    let text = "an outcome is confirmed by another person than the one who has proposed it";
    Fault::new(Class::Forbidden, text).with_field("confirmed_by", "FOUR_EYES", text)
}

/// The case that a caller named does not exist.
pub(crate) fn no_case() -> Fault {
    Fault::not_found("case")
}
