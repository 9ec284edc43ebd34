//! Accepts a batch of businesses that a job will assess.

use pando_service::prelude::*;
use serde_json::{Map, Value};

use crate::Risk;
use crate::domain::batch::{BatchJob, BatchReceipt, BatchStatus, StoredBatch};
use crate::domain::batch_request::BatchDraft;
use crate::store::batches;

impl Risk {
    /// Accepts a batch in the form of `POST /assess/batch/async`.
    pub async fn create_batch(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<BatchJob>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let draft = BatchDraft::read(fields)?;
            let mut write = turn.begin().await?;
            let batch = self.accept_batch(&mut write, draft).await?;
            write.done(batch.shown())
        });
        write.await
    }

    /// Accepts a batch in the form of `POST /batch/assess`.
    pub async fn submit_batch(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<BatchReceipt>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let draft = BatchDraft::read_with_options(fields)?;
            let mut write = turn.begin().await?;
            let batch = self.accept_batch(&mut write, draft).await?;
            write.done(batch.receipt())
        });
        write.await
    }

    /// Keeps a batch and its businesses, and enqueues its job. A business that is described badly is refused by the job, so that it
    /// does not spoil the others.
    pub(crate) async fn accept_batch(
        &self,
        write: &mut Write,
        draft: BatchDraft,
    ) -> Result<StoredBatch, Fault> {
        let (clock, user) = (&self.0.parts.clock, write.call.actor().to_owned());
        let now = clock.now();
        let batch = StoredBatch {
            id: clock.fresh_id(),
            status: BatchStatus::Pending,
            total: i64::try_from(draft.items.len()).map_err(Fault::internal)?,
            succeeded: 0,
            failed: 0,
            skipped: 0,
            priority: draft.priority,
            retries: 0,
            retries_max: draft.retries_max,
            run: 1,
            metadata: draft.metadata,
            created_by: if draft.created_by.is_empty() { user.clone() } else { draft.created_by },
            user,
            error: None,
            version: 1,
            created_at: now,
            started_at: None,
            ended_at: None,
            updated_at: now,
        };
        let tenant = write.call.tenant().clone();
        batches::insert(&mut write.tx, &tenant, &batch, draft.items).await?;
        self.0.parts.queue.enqueue(&mut write.tx, batch.job(&tenant)?).await?;
        write.acted(batch.change("batch_job.created"));
        Ok(batch)
    }
}
