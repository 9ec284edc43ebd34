//! Goes on with a batch that was cancelled or failed.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::batch::{BatchJob, BatchStatus};
use crate::store::batches;
use crate::{Risk, no_batch};

impl Risk {
    /// Has the businesses assessed that have no assessment, except those that are described badly. A batch with a living job, or with
    /// nothing left to do, is a conflict.
    pub async fn resume_batch(&self, call: &Call, id: Uuid) -> Result<Written<BatchJob>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let found = batches::lock(&mut write.tx, call.tenant(), id).await?;
            let mut batch = found.ok_or_else(no_batch)?;
            if batch.status.is_live() {
                return Err(Fault::conflict(format!("the batch is {} already", batch.status.as_str())));
            }
            batch.failed = batches::reopen(&mut write.tx, call.tenant(), id).await?;
            batch.skipped = 0;
            if batch.done() >= batch.total {
                return Err(Fault::conflict("no business of the batch is left to be assessed"));
            }
            batch.run += 1;
            batch.retries = 0;
            batch.error = None;
            batch.version += 1;
            batch.updated_at = self.0.parts.clock.now();
            (batch.status, batch.started_at, batch.ended_at) = (BatchStatus::Pending, None, None);
            batches::save(&mut write.tx, call.tenant(), &batch).await?;
            self.0.parts.queue.enqueue(&mut write.tx, batch.job(call.tenant())?).await?;
            write.acted(batch.change("batch_job.resumed"));
            write.done(batch.shown())
        });
        write.await
    }
}
