//! Lets go of units whose order was not paid in time.

use std::time::Duration;

use pando_queue::{JobContext, JobError, JobType, NoPayload};
use pando_service::Class;
use pando_service::prelude::*;
use serde::Serialize;

use super::domain::reservation::ReservationStatus;
use super::store::reservations;
use crate::Commerce;

/// The job, which comes again and again.
pub(crate) const SWEEP: JobType<NoPayload> = JobType::new("reservation_sweep").within_ms(300_000);

/// How many reservations are looked up at once.
const BATCH: usize = 100;
/// How long one reservation may take.
const EACH: Duration = Duration::from_secs(10);

/// How many reservations expired.
#[derive(Serialize)]
pub(crate) struct Swept {
    expired: usize,
}

impl Commerce {
    /// The job: each reservation is a transaction of its own, so a sweep never holds many products.
    pub(crate) async fn sweep_reservations(
        self,
        context: JobContext,
        _: NoPayload,
    ) -> Result<Swept, JobError> {
        let mut expired = 0;
        loop {
            let read = context.database().read_primary(context.call());
            let found = reservations::expired(&read, self.0.parts.clock.now(), BATCH).await?;
            for (tenant, order) in &found {
                let call = Call::internal("reservation_sweep", EACH).of_tenant(tenant.clone());
                match self.end_reservation(&call, *order, ReservationStatus::Expired).await {
                    Ok(_) => expired += 1,
                    // The order was paid or given up meanwhile.
                    Err(fault) if fault.class() == Class::Conflict => {}
                    Err(fault) => return Err(fault.into()),
                }
            }
            if found.len() < BATCH {
                return Ok(Swept { expired });
            }
        }
    }
}
