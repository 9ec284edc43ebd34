//! Asks the provider about payments and refunds whose outcome nobody knows. It never guesses one.

use std::time::Duration;

use pando_queue::{JobContext, JobError, JobType, NoPayload};
use pando_service::prelude::*;
use serde::Serialize;
use uuid::Uuid;

use super::complete_charge::Progress;
use super::store::{self, refunds};
use crate::Commerce;

/// The job, which comes again and again.
pub(crate) const RECONCILE: JobType<NoPayload> = JobType::new("payment_reconcile").within_ms(300_000);

/// How long a payment is left to its own job.
const LEFT_ALONE_MICROS: i64 = 60 * 1_000_000;
/// How many are asked about in one run.
const BATCH: usize = 200;
/// How long one of them may take.
const EACH: Duration = Duration::from_secs(20);

/// How many payments and refunds have an outcome since, and how many have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// They have one.
    pub settled: usize,
    /// The provider does not know, or cannot be reached.
    pub waiting: usize,
}

impl Commerce {
    /// The job.
    pub(crate) async fn run_reconcile(
        self,
        context: JobContext,
        _: NoPayload,
    ) -> Result<Reconciled, JobError> {
        Ok(self.reconcile_payments(context.call()).await?)
    }

    /// Asks about those that have waited the longest.
    pub async fn reconcile_payments(&self, call: &Call) -> Result<Reconciled, Fault> {
        let before = self.0.parts.clock.now().plus_micros(-LEFT_ALONE_MICROS);
        let read = self.0.parts.database.read_primary(call);
        let mut done = Reconciled::default();
        for (tenant, id) in store::pending(&read, before, BATCH).await? {
            done.count(self.complete_charge(&of(tenant), id, false).await, id);
        }
        for (tenant, id) in refunds::pending(&read, before, BATCH).await? {
            done.count(self.complete_refund(&of(tenant), id, false).await, id);
        }
        Ok(done)
    }
}

impl Reconciled {
    /// One that fails does not keep the others.
    fn count(&mut self, progress: Result<Progress, Fault>, id: Uuid) {
        match progress {
            Ok(Progress::Ended) => self.settled += 1,
            Ok(Progress::Waiting(_)) => self.waiting += 1,
            Err(fault) => {
                tracing::warn!(%id, %fault, "a payment or refund could not be reconciled");
                self.waiting += 1;
            }
        }
    }
}

fn of(tenant: Tenant) -> Call {
    Call::internal("payment_reconcile", EACH).of_tenant(tenant)
}
