//! Forgets old deliveries, and those of endpoints that were deleted.

use pando_queue::{JobContext, JobError, NoPayload};
use pando_service::prelude::*;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::work::OfEndpoint;
use crate::store::deliveries;
use crate::{Webhooks, store};

/// How many rows one transaction deletes.
const BATCH: usize = 1_000;

/// How many rows were deleted.
#[derive(Serialize)]
pub(crate) struct Swept {
    rows: u64,
}

impl Webhooks {
    /// The job that forgets deliveries and events that are older than `kept_days`.
    pub(crate) async fn sweep(self, context: JobContext, _: NoPayload) -> Result<Swept, JobError> {
        let micros = i64::from(self.0.options.kept_days) * 86_400_000_000;
        let before = self.0.parts.clock.now().plus_micros(-micros);
        let mut rows = 0;
        let mut after = Uuid::nil();
        loop {
            let read = context.database().read(context.call());
            let endpoints = store::ids_after(&read, after, BATCH).await?;
            let Some(last) = endpoints.last().copied() else { break };
            for webhook in endpoints {
                rows += self.forget(&context, webhook, Some(before)).await?;
            }
            after = last;
        }
        loop {
            let mut tx = context.database().transaction(context.call()).await?;
            let deleted = deliveries::forget_events(&mut tx, before, BATCH).await?;
            tx.commit().await?;
            rows += deleted;
            if deleted < BATCH as u64 {
                return Ok(Swept { rows });
            }
        }
    }

    /// The job that forgets the deliveries of an endpoint that was deleted.
    pub(crate) async fn forget_deleted(self, context: JobContext, of: OfEndpoint) -> Result<Swept, JobError> {
        Ok(Swept { rows: self.forget(&context, of.webhook, None).await? })
    }

    async fn forget(
        &self,
        context: &JobContext,
        webhook: Uuid,
        before: Option<Timestamp>,
    ) -> Result<u64, JobError> {
        let mut rows = 0;
        loop {
            let mut tx = context.database().transaction(context.call()).await?;
            let deleted = deliveries::forget(&mut tx, webhook, before, BATCH).await?;
            tx.commit().await?;
            rows += deleted;
            if deleted < BATCH as u64 {
                return Ok(rows);
            }
        }
    }
}
