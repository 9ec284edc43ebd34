//! Deletes carts that nobody has changed for a long time.

use pando_queue::{JobContext, JobError, JobType, NoPayload};
use serde::Serialize;

use super::store;
use crate::Commerce;

/// The job, which comes again and again.
pub(crate) const SWEEP: JobType<NoPayload> = JobType::new("cart_sweep").within_ms(300_000);

/// How many carts one transaction deletes.
const BATCH: usize = 200;

/// How many carts were deleted.
#[derive(Serialize)]
pub(crate) struct Swept {
    deleted: usize,
}

impl Commerce {
    /// The job: batches are short, and carts that somebody is changing are left to the next one.
    pub(crate) async fn sweep_carts(self, context: JobContext, _: NoPayload) -> Result<Swept, JobError> {
        let mut deleted = 0;
        loop {
            let mut tx = context.database().transaction(context.call()).await?;
            let found = store::expired(&mut tx, self.0.parts.clock.now(), BATCH).await?;
            for (tenant, cart) in &found {
                store::remove(&mut tx, tenant, *cart);
            }
            tx.commit().await?;
            deleted += found.len();
            if found.len() < BATCH {
                return Ok(Swept { deleted });
            }
        }
    }
}
