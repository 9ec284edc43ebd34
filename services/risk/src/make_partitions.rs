//! Makes the partitions of the next months.

use pando_queue::{JobContext, JobError, NoPayload};
use pando_service::prelude::*;
use serde::Serialize;

use crate::Risk;
use crate::store::archive::MONTHLY;

/// A partition is not made if more rows than this would have to move into it, because nobody can write them meanwhile.
const MOVED_MAX: u64 = 50_000;

/// The result of the job.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Made {
    partitions: Vec<String>,
    rows_moved: u64,
    left: Vec<String>,
}

impl Risk {
    /// The job. On SQLite it makes nothing, because there is one table.
    pub(crate) async fn run_make_partitions(
        self,
        context: JobContext,
        _: NoPayload,
    ) -> Result<Made, JobError> {
        Ok(self.make_partitions(context.call()).await?)
    }

    /// Makes the partitions of this month and of the next ones.
    pub(crate) async fn make_partitions(&self, call: &Call) -> Result<Made, DatabaseError> {
        let (now, ahead) = (self.0.parts.clock.now(), u32::from(self.0.options.partitions_ahead));
        let mut all = Made::default();
        for table in MONTHLY {
            let made = table.make(&self.0.parts.database, call, (now, ahead), MOVED_MAX).await?;
            for name in &made.left {
                tracing::warn!(
                    name,
                    "the default partition has too many rows of this month: no partition was made"
                );
            }
            all.partitions.extend(made.made);
            all.rows_moved += made.moved;
            all.left.extend(made.left);
        }
        Ok(all)
    }
}
