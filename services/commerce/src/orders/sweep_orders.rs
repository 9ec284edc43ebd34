//! Gives up orders that were not paid in time.

use std::time::Duration;

use pando_queue::{JobContext, JobError, JobType, NoPayload};
use pando_service::prelude::*;
use serde::Serialize;
use uuid::Uuid;

use super::domain::status::OrderStatus;
use super::store::{self, lists};
use super::transition::no_order;
use crate::Commerce;

/// The job, which comes again and again.
pub(crate) const SWEEP: JobType<NoPayload> = JobType::new("order_sweep").within_ms(300_000);

/// How many orders are looked up at once.
const BATCH: usize = 100;
/// How long one order may take.
const EACH: Duration = Duration::from_secs(10);

/// How many orders were given up.
#[derive(Serialize)]
pub(crate) struct Swept {
    cancelled: usize,
}

impl Commerce {
    /// The job: each order is a transaction of its own, so a sweep never holds many.
    pub(crate) async fn sweep_orders(self, context: JobContext, _: NoPayload) -> Result<Swept, JobError> {
        let mut cancelled = 0;
        loop {
            let read = context.database().read_primary(context.call());
            let found = lists::expired(&read, self.0.parts.clock.now(), BATCH).await?;
            let mut ended = 0;
            for (tenant, order) in &found {
                let call = Call::internal("order_sweep", EACH).of_tenant(tenant.clone());
                ended += usize::from(self.expire_order(&call, *order).await?);
            }
            cancelled += ended;
            // Those that are being paid at this moment stay, and would be found again and again.
            if found.len() < BATCH || ended == 0 {
                return Ok(Swept { cancelled });
            }
        }
    }

    async fn expire_order(&self, call: &Call, id: Uuid) -> Result<bool, Fault> {
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let order = store::lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_order)?;
            let is_late = order.expires_at <= self.0.parts.clock.now();
            if order.status != OrderStatus::Pending
                || !is_late
                || self.is_being_paid(&mut write, &order).await?
            {
                return write.done(false);
            }
            self.give_up(&mut write, order, "ORDER_TIMEOUT: it was not paid in time").await?;
            write.done(true)
        });
        Ok(write.await?.value)
    }
}
