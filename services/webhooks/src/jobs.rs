//! The jobs of webhooks.

use pando_queue::Job;
use pando_queue::{
    JobContext, JobError, JobKind, JobType, NoPayload, QueueError, Registry, Schedule, Unique,
};
use serde_json::json;

use crate::Webhooks;
use crate::domain::work::{FORGET, OfEndpoint, SEND, WAKE};

const SWEEP: JobType<NoPayload> = JobType::new("webhook_sweep").within_ms(3_600_000);

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
