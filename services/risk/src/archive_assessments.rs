//! Moves old assessments into the archive, and drops partitions that are empty then.

use pando_queue::{JobContext, JobError, NoPayload};
use serde::Serialize;

use crate::Risk;
use crate::store::archive::{self, MONTHLY};

const DAY_MICROS: i64 = 86_400_000_000;
/// How many old assessments are looked at to find tenants that have some.
const LOOKED_AT: usize = 10_000;

/// The result of the job.
#[derive(Serialize)]
pub(crate) struct Archived {
    assessments: u64,
    partitions_dropped: Vec<String>,
}

impl Risk {
    /// The job. One moment divides old from new for the whole run. Each transaction moves some assessments with their factors, so an
    /// attempt that is killed has lost nothing and doubled nothing, and the next one goes on.
    pub(crate) async fn archive(self, context: JobContext, _: NoPayload) -> Result<Archived, JobError> {
        let options = &self.0.options;
        let now = self.0.parts.clock.now();
        let before = now.plus_micros(-i64::from(options.archive_after_days) * DAY_MICROS);
        let (database, call) = (context.database(), context.call());
        let mut assessments = 0;
        loop {
            let tenants = archive::tenants(&database.read_primary(call), before, LOOKED_AT).await?;
            for tenant in &tenants {
                loop {
                    let mut tx = database.transaction(call).await?;
                    let count = options.archive_chunk as usize;
                    let moved = archive::move_oldest(&mut tx, tenant, (before, count)).await?;
                    tx.commit().await?;
                    assessments += moved;
                    if moved == 0 {
                        break;
                    }
                }
            }
            if tenants.is_empty() {
                break;
            }
        }
        let mut partitions_dropped = Vec::new();
        for table in MONTHLY {
            partitions_dropped.extend(table.drop_empty(database, call, before).await?);
        }
        Ok(Archived { assessments, partitions_dropped })
    }
}
