//! Forgets old batches, and gives a batch that lost its job a new one.

use pando_queue::{JobContext, JobError, NoPayload};
use serde::Serialize;

use crate::Risk;
use crate::store::batches;

/// How many batches are read at once.
const COUNT: usize = 100;
/// A batch of which nothing has changed for so long may have lost its job.
const STANDING_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// The result of the job.
#[derive(Serialize)]
pub(crate) struct SweptBatches {
    forgotten: u64,
    looked_at: usize,
}

impl Risk {
    /// The job. A batch loses its job if each attempt of it kills its worker; that one has an end.
    pub(crate) async fn sweep_batches(
        self,
        context: JobContext,
        _: NoPayload,
    ) -> Result<SweptBatches, JobError> {
        let (now, database) = (self.0.parts.clock.now(), context.database());
        let before = now.plus_micros(-i64::from(self.0.options.batches_days) * DAY_MICROS);
        let mut forgotten = 0;
        loop {
            let old = batches::ended_before(&database.read(context.call()), before, COUNT).await?;
            for (tenant, id) in &old {
                let mut tx = database.transaction(context.call()).await?;
                batches::forget(&mut tx, tenant, *id).await?;
                tx.commit().await?;
                forgotten += 1;
            }
            if old.len() < COUNT {
                break;
            }
        }
        let since = now.plus_micros(-STANDING_MICROS);
        let read = database.read_primary(context.call());
        let standing = batches::standing_since(&read, since, COUNT).await?;
        for (tenant, id) in &standing {
            let Some(batch) = batches::find(&read, tenant, *id).await? else { continue };
            let mut tx = database.transaction(context.call()).await?;
            // If its job lives, that one is meant.
            context.queue().enqueue(&mut tx, batch.job(tenant)?).await?;
            tx.commit().await?;
        }
        Ok(SweptBatches { forgotten, looked_at: standing.len() })
    }
}
