//! Shows how far a batch has come.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::batch::{BatchJob, BatchReceipt, ItemStatus, StoredBatch, StoredItem};
use crate::domain::ids;
use crate::store::batches;
use crate::{Risk, no_batch};

/// The batch in its older form, with its results.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchState {
    /// The batch.
    #[serde(flatten)]
    pub receipt: BatchReceipt,
    /// How far it has come.
    pub progress: BatchProgress,
    /// The outcomes of businesses, in the order of the request.
    pub results: Vec<BusinessResult>,
    /// The `offset` of the next results; null on the last page.
    pub next_offset: Option<usize>,
}

/// How far a batch has come.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BatchJobProgress)]
pub struct BatchProgress {
    /// How many businesses it has.
    pub total: i64,
    /// How many have an outcome.
    pub processed: i64,
    /// How many could not be assessed.
    pub failed: i64,
    /// How many hundredths have an outcome.
    pub percentage: i64,
}

/// The outcome for one business, in the older form.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BusinessResult {
    /// The business; null if it is not read yet, or is described badly.
    pub business_id: Option<String>,
    /// Its assessment, if there is one.
    pub assessment_id: Option<String>,
    /// The outcome.
    pub status: ItemStatus,
    /// The score, if there is one.
    pub risk_score: Option<f64>,
    /// Why there is none.
    pub error_message: Option<String>,
    /// The path of the explanation of the score, if there is one.
    pub explanation: Option<String>,
}

impl Risk {
    /// A batch.
    pub async fn get_batch(&self, call: &Call, id: Uuid) -> Result<BatchJob, Fault> {
        Ok(self.batch(call, id).await?.shown())
    }

    /// A batch in its older form, with a page of its results.
    pub async fn get_batch_state(
        &self,
        call: &Call,
        id: Uuid,
        (offset, count): (usize, usize),
    ) -> Result<BatchState, Fault> {
        let batch = self.batch(call, id).await?;
        let read = self.0.parts.database.read(call);
        let items = batches::items(&read, (call.tenant(), id), (offset, count)).await?;
        let shown = batch.shown();
        let progress = BatchProgress {
            total: batch.total,
            processed: batch.done(),
            failed: batch.failed,
            percentage: shown.progress,
        };
        Ok(BatchState {
            receipt: batch.receipt(),
            progress,
            next_offset: next_offset(&batch, &items, offset),
            results: items.iter().map(result).collect(),
        })
    }

    /// A batch as its row has it.
    pub(crate) async fn batch(&self, call: &Call, id: Uuid) -> Result<StoredBatch, Fault> {
        let read = self.0.parts.database.read(call);
        batches::find(&read, call.tenant(), id).await?.ok_or_else(no_batch)
    }
}

/// Where the page after some businesses begins, if there is one.
pub(crate) fn next_offset(batch: &StoredBatch, page: &[StoredItem], offset: usize) -> Option<usize> {
    let next = offset + page.len();
    (!page.is_empty() && i64::try_from(next).is_ok_and(|next| next < batch.total)).then_some(next)
}

/// Why a business was not assessed.
pub(crate) fn error_of(item: &StoredItem) -> Option<String> {
    let bad = item.validation.iter().map(|bad| format!("{} {}", bad.field, bad.message));
    let bad: Vec<String> = bad.collect();
    item.error.clone().or_else(|| (!bad.is_empty()).then(|| bad.join("; ")))
}

fn result(item: &StoredItem) -> BusinessResult {
    let assessment = item.assessment_id.map(|id| ids::ASSESSMENT.show(id));
    BusinessResult {
        business_id: item.business_id.map(|id| ids::BUSINESS.show(id)),
        status: item.status,
        risk_score: item.score,
        error_message: error_of(item),
        explanation: assessment.as_ref().map(|id| format!("/api/v1/explain/{id}")),
        assessment_id: assessment,
    }
}
