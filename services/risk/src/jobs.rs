//! The jobs of this service.

use pando_queue::{Job, JobKind, JobType, NoPayload, QueueError, Registry, Schedule, Unique};
use serde_json::json;

use crate::Risk;
use crate::domain::batch::RUN;

const SWEEP: JobType<NoPayload> = JobType::new("risk_sweep").within_ms(3_600_000);

/// Adds the jobs to those that the process can run.
pub(crate) fn add(registry: &mut Registry, risk: &Risk) -> Result<(), QueueError> {
    let kind = |summary: &str, kind: JobKind| JobKind { summary: summary.to_owned(), ..kind };
    registry.add(kind("Assesses the businesses of a batch", RUN.run_by(risk, Risk::run_batch)))?;
    registry.add(kind("Forgets old batches", SWEEP.run_by(risk, Risk::sweep_batches)))
}

/// The jobs that come again and again.
pub(crate) fn schedules() -> Vec<Schedule> {
    vec![every(&SWEEP, "@hourly")]
}

fn every(kind: &JobType<NoPayload>, expression: &str) -> Schedule {
    let name = kind.name();
    let job = Job { unique: Some(Unique::WhileLive(name.to_owned())), ..Job::new(name, json!({})) };
    Schedule { name: name.to_owned(), expression: expression.to_owned(), job }
}
