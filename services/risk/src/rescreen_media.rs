//! Screens monitorings again after the articles have changed.

use std::time::Duration;

use pando_queue::{Job, JobContext, JobError, JobType, NoPayload, Unique};
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Risk;
use crate::store::monitorings;

/// The job.
pub(crate) const RESCREEN_MEDIA: JobType<NoPayload> =
    JobType::new("risk_media_rescreen").within_ms(3_600_000);

/// How many monitorings are looked up at once.
const BATCH: i64 = 100;

/// How many monitorings were screened.
#[derive(Serialize)]
pub(crate) struct Rescreened {
    monitorings: u64,
}

/// The monitoring behind which the job goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Place {
    tenant: String,
    id: Uuid,
}

impl Risk {
    /// Enqueues the job if there is a monitoring that was screened against other articles than those of this process.
    pub(crate) async fn see_articles(&self) -> Result<(), Fault> {
        if self.0.media.is_empty() {
            return Ok(());
        }
        let call = Call::internal("risk_media_rescreen", Duration::from_secs(30));
        let read = self.0.parts.database.read_primary(&call);
        let place = (String::new(), Uuid::nil());
        let stale = monitorings::stale(&read, (&place.0, place.1), self.0.media.version(), 1).await?;
        if stale.is_empty() {
            return Ok(());
        }
        let unique = Unique::WhileLive(format!("risk_media_rescreen {}", self.0.media.version()));
        let job = RESCREEN_MEDIA.job(&NoPayload {})?;
        let mut tx = self.0.parts.database.transaction(&call).await?;
        self.0.parts.queue.enqueue(&mut tx, Job { unique: Some(unique), ..job }).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The job. Each monitoring is screened in a transaction of its own that notes the version of the articles, so that a job
    /// that was cut off goes on where it was.
    pub(crate) async fn rescreen_media(
        self,
        context: JobContext,
        _: NoPayload,
    ) -> Result<Rescreened, JobError> {
        let mut done = 0;
        let mut place = Place::default();
        // A process without articles must not take those of another one for outdated.
        while !self.0.media.is_empty() {
            let read = context.database().read_primary(context.call());
            let version = self.0.media.version();
            let stale = monitorings::stale(&read, (&place.tenant, place.id), version, BATCH).await?;
            let Some((tenant, id)) = stale.last().cloned() else { break };
            for (tenant, id) in stale {
                let call = context.call().of_tenant(Tenant::stored(&tenant));
                let mut write = self.0.writes.begin(&call).await?;
                if let Some(monitoring) = monitorings::lock(&mut write.tx, call.tenant(), id).await? {
                    self.screen_media(&mut write, &monitoring).await?;
                    monitorings::screened(&mut write.tx, call.tenant(), id, version);
                }
                write.end().await?;
                done += 1;
            }
            place = Place { tenant, id };
        }
        Ok(Rescreened { monitorings: done })
    }
}
