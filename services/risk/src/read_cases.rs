//! Lists and shows cases.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Risk;
use crate::domain::case::{Case, CaseNote, CaseRecord, CaseStatus, no_case};
use crate::store::cases;

/// How many notes of a case are shown: as many as it may have.
pub(crate) const NOTES_MAX: usize = 1_000;

/// A page of cases, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RiskCases)]
pub struct CasePage {
    /// The cases.
    pub cases: Vec<Case>,
    /// The `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

/// A case with its notes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RiskCaseFile)]
pub struct CaseFile {
    /// The case.
    pub case: Case,
    /// Its notes, the oldest first.
    pub notes: Vec<CaseNote>,
}

impl Risk {
    /// A page of cases.
    pub async fn list_cases(
        &self,
        call: &Call,
        (status, after, count): (Option<CaseStatus>, Option<PageEnd>, usize),
    ) -> Result<CasePage, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let after = after.and_then(|end| end.place_in(tenant, &cases::NEWEST));
        let found = cases::page(&read, tenant, (status, after, count + 1)).await?;
        let place = |case: &CaseRecord| Place { key: SortKey::Time(case.shown.created_at), id: case.id };
        let page = pando_service::Page::cut(found, count, (tenant, &cases::NEWEST), place);
        let next = page.next.as_ref().map(encode_cursor).transpose()?;
        Ok(CasePage { cases: page.items.into_iter().map(|case| case.shown).collect(), next })
    }

    /// A case with its notes.
    pub async fn get_case(&self, call: &Call, id: Uuid) -> Result<CaseFile, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let case = cases::find(&read, tenant, id).await?.ok_or_else(no_case)?.shown;
        Ok(CaseFile { case, notes: cases::notes(&read, (tenant, id), NOTES_MAX).await? })
    }
}
