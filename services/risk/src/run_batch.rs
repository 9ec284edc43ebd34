//! The job that assesses the businesses of a batch, some in each transaction.

use std::sync::Arc;
use std::time::Duration;

use pando_queue::{JobContext, JobError};
use pando_service::prelude::*;
use serde_json::json;

use crate::Risk;
use crate::batch_assess::read;
use crate::decide_many::Decided;
use crate::domain::assessment::Assessed;
use crate::domain::batch::{self, BatchStatus, ItemStatus, OfBatch, StoredBatch, StoredItem};
use crate::ground::Ground;
use crate::store::batches;

impl Risk {
    /// The job. If it breaks off, the next attempt goes on with the first business without an outcome: each transaction has the
    /// assessments of some businesses and their outcomes.
    pub(crate) async fn run_batch(self, context: JobContext, of: OfBatch) -> Result<(), JobError> {
        loop {
            match self.run_chunk(&context, of).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(fault) => return self.note_failure(&context, of, fault).await,
            }
        }
    }

    /// Assesses the next businesses of a batch; whether there are more.
    async fn run_chunk(&self, context: &JobContext, of: OfBatch) -> Result<bool, Fault> {
        let read = self.0.parts.database.read_primary(context.call());
        let found = batches::find(&read, context.tenant(), of.batch).await?;
        let Some(found) = found.filter(|found| is_to_run(found, of)) else { return Ok(false) };
        // Assessments name the caller who sent the batch.
        let call = context.call().by(found.user.clone());
        let count = self.0.options.batch_chunk as usize;
        let mut items = batches::pending(&read, (call.tenant(), found.id), count).await?;
        let ground = Arc::new(self.ground(&call).await?);
        let assessed = self.assess_items((&call, &ground), &mut items).await?;

        let mut write = self.0.writes.begin(&call).await?;
        let locked = batches::lock(&mut write.tx, call.tenant(), of.batch).await?;
        let Some(mut batch) = locked.filter(|locked| is_to_run(locked, of)) else { return Ok(false) };
        self.keep((&mut write, &ground), &assessed).await?;
        batches::end_items(&mut write.tx, (call.tenant(), of.batch), &items).await?;
        let is_first = batch.status == BatchStatus::Pending;
        advance(&mut batch, &items, self.0.parts.clock.now());
        if is_first {
            write.created(batch.change(batch::STARTED));
        }
        let progress = json!({"done": batch.done(), "total": batch.total});
        if batch.status == BatchStatus::Completed {
            write.created(batch.change(batch::COMPLETED));
            context.complete(&mut write.tx, progress).await?;
        } else {
            context.save(&mut write.tx, json!(null), Some(progress)).await?;
        }
        batches::save(&mut write.tx, call.tenant(), &batch).await?;
        write.end().await?;
        Ok(batch.status.is_live())
    }

    /// Decides about businesses and notes the outcome of each; the assessments that were made.
    async fn assess_items(
        &self,
        (call, ground): (&Call, &Arc<Ground>),
        items: &mut [StoredItem],
    ) -> Result<Vec<Assessed>, Fault> {
        let mut businesses = Vec::with_capacity(items.len());
        for item in items.iter_mut() {
            match read(&item.input) {
                Ok(business) => {
                    item.business_id = Some(business.id());
                    businesses.push(business);
                }
                Err(fault) => {
                    item.status = ItemStatus::Failed;
                    item.validation = fault.errors().to_vec();
                }
            }
        }
        let decided = self.decide_many((call, ground), businesses, self.0.parts.clock.now()).await?;
        let mut assessed = Vec::with_capacity(decided.len());
        let waiting = items.iter_mut().filter(|item| item.status == ItemStatus::Pending);
        for (item, Decided { outcome, micros }) in waiting.zip(decided) {
            item.micros = Some(micros);
            match outcome {
                Ok(one) => {
                    item.status = ItemStatus::Success;
                    item.assessment_id = Some(one.id);
                    item.score = Some(one.score);
                    assessed.push(one);
                }
                Err(fault) => {
                    tracing::error!(error = ?fault, place = item.place, "a business of a batch was not assessed");
                    item.status = ItemStatus::Failed;
                    item.error = Some(fault.detail().to_owned());
                }
            }
        }
        Ok(assessed)
    }

    /// Counts an attempt that failed. The batch is tried again as often as it may be.
    async fn note_failure(&self, context: &JobContext, of: OfBatch, fault: Fault) -> Result<(), JobError> {
        let mut write = self.0.writes.begin(context.call()).await?;
        context.fence(&mut write.tx).await?;
        let locked = batches::lock(&mut write.tx, context.tenant(), of.batch).await?;
        let Some(mut batch) = locked.filter(|locked| is_to_run(locked, of)) else { return Ok(()) };
        batch.updated_at = self.0.parts.clock.now();
        if batch.retries < batch.retries_max {
            batch.retries += 1;
            batches::save(&mut write.tx, context.tenant(), &batch).await?;
            write.end().await?;
            let pause = Duration::from_secs(self.0.options.batch_retry_seconds);
            return Err(JobError::retry_after(pause, format!("{fault:?}")));
        }
        tracing::error!(error = ?fault, batch = %of.batch, "a batch failed");
        batch.status = BatchStatus::Failed;
        batch.error = Some(fault.detail().to_owned());
        batch.ended_at = Some(batch.updated_at);
        batch.version += 1;
        batches::save(&mut write.tx, context.tenant(), &batch).await?;
        write.created(batch.change(batch::FAILED));
        context.complete(&mut write.tx, json!(null)).await?;
        write.end().await?;
        Ok(())
    }
}

/// Whether the job of this run has something to do.
fn is_to_run(batch: &StoredBatch, of: OfBatch) -> bool {
    batch.run == of.run && batch.status.is_live()
}

/// Brings a batch up to the outcomes of some businesses.
fn advance(batch: &mut StoredBatch, items: &[StoredItem], now: Timestamp) {
    let count = |status: ItemStatus| items.iter().filter(|item| item.status == status).count();
    let counted = |status| i64::try_from(count(status)).unwrap_or(i64::MAX);
    batch.succeeded += counted(ItemStatus::Success);
    batch.failed += counted(ItemStatus::Failed);
    batch.started_at = batch.started_at.or(Some(now));
    batch.updated_at = now;
    batch.version += 1;
    batch.status = BatchStatus::Processing;
    if batch.done() >= batch.total {
        batch.status = BatchStatus::Completed;
        batch.ended_at = Some(now);
    }
}
