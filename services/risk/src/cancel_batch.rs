//! Cancels a batch: the businesses that were not assessed yet are skipped.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::batch::BatchStatus;
use crate::store::batches;
use crate::{Risk, no_batch};

impl Risk {
    /// Cancels a batch. Assessments that were made stay; one that is cancelled already stays so.
    pub async fn cancel_batch(&self, call: &Call, id: Uuid) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            // The job locks the batch for each of its transactions, and does nothing more once it is cancelled.
            let found = batches::lock(&mut write.tx, call.tenant(), id).await?;
            let mut batch = found.ok_or_else(no_batch)?;
            match batch.status {
                BatchStatus::Cancelled => return write.done(()),
                BatchStatus::Completed | BatchStatus::Failed => {
                    let status = batch.status.as_str();
                    return Err(Fault::conflict(format!("the batch is {status} already")));
                }
                BatchStatus::Pending | BatchStatus::Processing => {}
            }
            batch.skipped += batches::skip(&mut write.tx, call.tenant(), id).await?;
            batch.status = BatchStatus::Cancelled;
            batch.version += 1;
            batch.updated_at = self.0.parts.clock.now();
            batch.ended_at = Some(batch.updated_at);
            batches::save(&mut write.tx, call.tenant(), &batch).await?;
            write.acted(batch.change("batch_job.cancelled"));
            write.done(())
        });
        write.await
    }
}
