//! Lists batches, the newest first.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::batch::{BatchJob, BatchStatus};
use crate::store::batches::{self, Wanted};

/// A question for a page of batches.
#[derive(Clone, Debug)]
pub struct BatchQuestion {
    /// How many batches.
    pub limit: usize,
    /// How many to step over.
    pub offset: usize,
    /// Only those in this status.
    pub status: Option<BatchStatus>,
    /// Only those of this name; empty for any.
    pub created_by: String,
    /// Only those that were accepted at this moment or later.
    pub start_date: Option<Timestamp>,
    /// Only those that were accepted at this moment or before.
    pub end_date: Option<Timestamp>,
}

/// A page of batches.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BatchJobPage)]
pub struct BatchPage {
    /// The batches.
    pub batches: Vec<BatchJob>,
    /// How many there are on all pages.
    pub total: i64,
    /// How many a page has.
    pub limit: usize,
    /// How many were stepped over.
    pub offset: usize,
}

impl Risk {
    /// A page of batches.
    pub async fn list_batches(&self, call: &Call, question: BatchQuestion) -> Result<BatchPage, Fault> {
        let BatchQuestion { limit, offset, status, created_by, start_date, end_date } = question;
        let from = start_date.unwrap_or(Timestamp::from_micros(0));
        // Nothing is accepted later than now, by any clock that counts.
        let to = end_date.unwrap_or_else(|| self.0.parts.clock.now().plus_micros(86_400_000_000));
        let wanted = Wanted { status, created_by, from, to };
        let read = self.0.parts.database.read(call);
        let (found, total) = batches::page(&read, call.tenant(), &wanted, (offset, limit)).await?;
        let batches = found.iter().map(|batch| batch.shown()).collect();
        Ok(BatchPage { batches, total, limit, offset })
    }
}
