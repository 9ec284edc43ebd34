//! Assesses many businesses at once: a few in the request, more by a job.

use std::sync::Arc;

use pando_service::prelude::*;
use pando_service::{FieldError, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::assessment::{Assessed, Assessment};
use crate::domain::batch::BatchJob;
use crate::domain::batch_request::{BATCH_JOB_MAX, BatchDraft, items};
use crate::domain::business::Business;
use crate::domain::{events, ids};
use crate::ground::Ground;
use crate::store;

/// How many businesses are assessed in the request.
pub const BATCH_MAX: usize = 100;

/// The outcome of a request for a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Batched {
    /// The businesses were assessed.
    Done(Batch),
    /// A job will assess them.
    Accepted(Box<BatchJob>),
}

/// The outcome of a batch, in the order of the request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AssessmentBatch)]
pub struct Batch {
    /// An id of the batch.
    pub batch_id: String,
    /// `completed`.
    pub status: String,
    /// How many businesses it has.
    pub total: usize,
    /// How many were assessed.
    pub completed: usize,
    /// How many were not.
    pub failed: usize,
    /// The outcome for each business.
    pub results: Vec<BatchItem>,
}

/// The outcome for one business of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AssessmentBatchItem)]
pub struct BatchItem {
    /// Its place in the request, from 0.
    pub index: usize,
    /// `success` or `failed`.
    pub status: String,
    /// The assessment, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub assessment: Option<Assessment>,
    /// Every bad field, if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub validation: Vec<FieldError>,
}

impl Risk {
    /// Assesses the businesses of a batch that are described well, and says what is wrong with the others. If there are more than a
    /// hundred, a job does it.
    pub async fn batch_assess(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Batched>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let items = items(fields, BATCH_JOB_MAX)?;
            if items.len() > BATCH_MAX {
                let draft = BatchDraft::of(items.to_vec());
                let mut write = turn.begin().await?;
                let batch = self.accept_batch(&mut write, draft).await?;
                return write.done(Batched::Accepted(Box::new(batch.shown())));
            }
            let read: Vec<Result<Business, Fault>> = items.iter().map(read).collect();
            let good: Vec<Business> = read.iter().flatten().cloned().collect();
            let ground = Arc::new(self.ground(call).await?);
            let mut decided =
                self.decide_many((call, &ground), good, self.0.parts.clock.now()).await?.into_iter();
            let (mut results, mut assessed) = (Vec::with_capacity(items.len()), Vec::new());
            for (index, business) in read.into_iter().enumerate() {
                let (status, assessment, validation) = match business {
                    Ok(_) => {
                        let decided =
                            decided.next().ok_or_else(|| Fault::internal("a decision is missing"))?;
                        let one = decided.outcome?;
                        let shown = Some(one.shown());
                        assessed.push(one);
                        ("success", shown, Vec::new())
                    }
                    Err(fault) => ("failed", None, fault.errors().to_vec()),
                };
                results.push(BatchItem { index, status: status.to_owned(), assessment, validation });
            }
            let mut write = turn.begin().await?;
            self.keep((&mut write, &ground), &assessed).await?;
            let batch_id = ids::BATCH.show(self.0.parts.clock.fresh_id());
            let (total, completed) = (results.len(), assessed.len());
            let status = "completed".to_owned();
            let batch = Batch { batch_id, status, total, completed, failed: total - completed, results };
            write.done(Batched::Done(batch))
        });
        write.await
    }

    /// Keeps assessments, and says so.
    pub(crate) async fn keep(
        &self,
        (write, ground): (&mut Write, &Ground),
        assessed: &[Assessed],
    ) -> Result<(), Fault> {
        if assessed.is_empty() {
            return Ok(());
        }
        store::insert(&mut write.tx, write.call.tenant(), assessed).await?;
        self.open_cases(write, assessed).await?;
        self.compare_with_shadow(write, ground, assessed);
        for one in assessed {
            write.created(events::completed(one));
        }
        Ok(())
    }
}

/// A business of a batch.
pub(crate) fn read(item: &Value) -> Result<Business, Fault> {
    match item.as_object() {
        Some(fields) => Business::read(fields),
        None => Err(Violations::one("business", "INVALID_INPUT", "must be an object").into()),
    }
}
