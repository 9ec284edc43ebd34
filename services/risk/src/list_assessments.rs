//! Lists assessments, the newest first.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::assessment::{Assessment, AssessmentStatus};
use crate::{Risk, store};

/// A question for a page.
#[derive(Clone, Debug, Default)]
pub struct AssessmentQuestion {
    /// How many assessments.
    pub limit: usize,
    /// How many to step over.
    pub offset: usize,
    /// The end of the page before.
    pub after: Option<PageEnd>,
    /// Only those in this status.
    pub status: Option<AssessmentStatus>,
}

/// A page of assessments.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AssessmentPage {
    /// The assessments.
    pub assessments: Vec<Assessment>,
    /// How many there are on all pages.
    pub total: i64,
    /// The `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

impl Risk {
    /// A page of assessments.
    pub async fn list_assessments(
        &self,
        call: &Call,
        question: AssessmentQuestion,
    ) -> Result<AssessmentPage, Fault> {
        let AssessmentQuestion { limit, offset, after, status } = question;
        let read = self.0.parts.database.read(call);
        let asked = (after.as_ref(), offset, limit);
        let (found, next, total) = store::page(&read, call.tenant(), status, asked).await?;
        let next = next.as_ref().map(encode_cursor).transpose()?;
        Ok(AssessmentPage { assessments: found.iter().map(|one| one.shown()).collect(), total, next })
    }
}
