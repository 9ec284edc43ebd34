//! Takes an order from step to step until it is paid or given up. The step is stored with its effect, so that an order whose process
//! was killed goes on where it stood.

use std::time::{Duration, Instant};

use pando_queue::{JobContext, JobError, JobType};
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::domain::status::{OrderStatus, Step};
use super::risk::Verdict;
use super::store;
use super::transition::no_order;
use crate::Commerce;
use crate::payments::Progress;
use crate::payments::domain::means::Chosen;

/// The job.
pub(crate) const ADVANCE: JobType<OfOrder> = JobType::new("order_advance").within_ms(60_000);

/// How long one step may take.
const EACH: Duration = Duration::from_secs(20);

/// The order that a job is about.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OfOrder {
    pub(crate) order: Uuid,
}

/// Where an order stands when its job ends.
#[derive(Debug, Serialize)]
pub(crate) struct Advanced {
    status: Option<OrderStatus>,
}

impl Commerce {
    /// The job. While the outcome of a payment is not known, it comes again.
    pub(crate) async fn advance_order(self, context: JobContext, of: OfOrder) -> Result<Advanced, JobError> {
        let started = Instant::now();
        let advanced = self.advance(context.call(), of.order).await?;
        self.0.meters.advanced(started.elapsed());
        match advanced {
            Ok(status) => Ok(Advanced { status }),
            Err(why) => Err(JobError::retry(why)),
        }
    }

    /// Takes all steps that can be taken now; where the order stands then, or why it has to wait.
    pub(crate) async fn advance(
        &self,
        call: &Call,
        id: Uuid,
    ) -> Result<Result<Option<OrderStatus>, &'static str>, Fault> {
        // Each step has a key-less call of its own: the key of a request is for its first write alone.
        let call = &Call { repeat: None, ..call.with_deadline(pando_resilience::Deadline::after(EACH)) };
        let mut is_fresh = false;
        loop {
            let read = self.0.parts.database.read_primary(call);
            let Some(order) = store::find(&read, call.tenant(), id).await? else { return Ok(Ok(None)) };
            match (order.step, order.payment) {
                (Step::Assess, _) => {
                    let verdict = self.risk_of(call, &order).await;
                    is_fresh = self.apply(call, id, &verdict).await?;
                }
                (Step::Charge, Some(payment)) => match self.complete_charge(call, payment, is_fresh).await? {
                    Progress::Ended => return Ok(Ok(Some(self.status_of(call, id).await?))),
                    Progress::Waiting(why) => return Ok(Err(why)),
                },
                _ => return Ok(Ok(Some(order.status))),
            }
        }
    }

    async fn status_of(&self, call: &Call, id: Uuid) -> Result<OrderStatus, Fault> {
        let read = self.0.parts.database.read_primary(call);
        Ok(store::find(&read, call.tenant(), id).await?.ok_or_else(no_order)?.status)
    }

    /// Writes a verdict down, and acts on it: the order is given up, or its payment begins. Whether one began.
    async fn apply(&self, call: &Call, id: Uuid, verdict: &Verdict) -> Result<bool, Fault> {
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let mut order = store::lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_order)?;
            // Another run was here first, or the buyer has cancelled.
            if order.step != Step::Assess || order.status != OrderStatus::Pending {
                return write.done(false);
            }
            order.risk = verdict.kept();
            if verdict.is_declined() {
                let reason = format!("the order was declined: {}", verdict.answer.reason);
                self.give_up(&mut write, order, &reason).await?;
                return write.done(false);
            }
            let Some(method) = order.method.as_ref().and_then(Chosen::method).cloned() else {
                return Err(Fault::internal("an order without means of payment was to be charged"));
            };
            match self.begin_charge(&mut write, order, method).await? {
                Ok(_) => write.done(true),
                Err((order, _)) => {
                    self.give_up(&mut write, order, "its units were sold to others meanwhile").await?;
                    write.done(false)
                }
            }
        });
        Ok(write.await?.value)
    }
}
