//! The jobs of webhooks.

use pando_queue::Job;
use pando_queue::{
    JobContext, JobError, JobKind, JobType, NoPayload, QueueError, Registry, Schedule, Unique,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::Webhooks;

/// Sends what is due to an endpoint.
pub(crate) const SEND: JobType<OfEndpoint> = JobType::new("webhook_send").within_ms(180_000);
/// Has what is due later sent then.
pub(crate) const WAKE: JobType<OfEndpoint> = JobType::new("webhook_wake");
/// Forgets the deliveries of an endpoint that was deleted.
pub(crate) const FORGET: JobType<OfEndpoint> = JobType::new("webhook_forget").within_ms(3_600_000);
const SWEEP: JobType<NoPayload> = JobType::new("webhook_sweep").within_ms(3_600_000);

/// An endpoint whose job it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OfEndpoint {
    pub(crate) webhook: Uuid,
}

/// Adds the jobs to those that the process can run.
pub(crate) fn add(registry: &mut Registry, webhooks: &Webhooks) -> Result<(), QueueError> {
    let kind = |summary: &str, kind: JobKind| JobKind { summary: summary.to_owned(), ..kind };
    registry.add(kind("Sends events to a webhook", SEND.run_by(webhooks, Webhooks::send)))?;
    registry.add(kind("Sends events to a webhook later", WAKE.run_by(webhooks, wake)))?;
    registry.add(kind(
        "Forgets the deliveries of a deleted webhook",
        FORGET.run_by(webhooks, Webhooks::forget_deleted),
    ))?;
    registry.add(kind("Forgets old deliveries", SWEEP.run_by(webhooks, Webhooks::sweep)))
}

/// The sweep, once an hour.
pub(crate) fn schedules() -> Vec<Schedule> {
    let name = SWEEP.name();
    let job = Job { unique: Some(Unique::WhileLive(name.to_owned())), ..Job::new(name, json!({})) };
    vec![Schedule { name: name.to_owned(), expression: "@hourly".to_owned(), job }]
}

async fn wake(webhooks: Webhooks, context: JobContext, of: OfEndpoint) -> Result<(), JobError> {
    let mut tx = context.database().transaction(context.call()).await?;
    webhooks.ring(&mut tx, context.tenant(), &[of.webhook]).await?;
    context.complete(&mut tx, json!(null)).await?;
    tx.commit().await?;
    Ok(())
}
