//! The job of the pipeline.

use pando_queue::{
    Job, JobContext, JobError, JobKind, JobType, NoPayload, QueueError, Schedule, Settings, Unique,
};
use pando_service::prelude::*;
use serde_json::json;

use crate::options::PipelineOptions;
use crate::pipeline::{Pipeline, Shipped};

/// The job that archives customers.
pub(crate) const ARCHIVE: JobType<NoPayload> = JobType::new("customers_pipeline");

/// How long a run may take. One that is cut off goes on where it was.
const TIMEOUT_MS: u64 = 3_600_000;
/// The pauses between attempts, so that an outage of the store ends with one job waiting, and is noticed to be over within a
/// minute.
const PAUSES_MS: [u64; 6] = [2_000, 4_000, 8_000, 16_000, 32_000, 60_000];
/// More than an outage of a weekend needs.
const ATTEMPTS_MAX: u16 = 5_000;

pub(crate) fn kind(pipeline: &Pipeline) -> JobKind {
    JobKind {
        summary: "Writes customers that have changed to the object store".to_owned(),
        attempts_max: ATTEMPTS_MAX,
        settings: Settings { timeout_ms: Some(TIMEOUT_MS), pauses_ms: Some(PAUSES_MS.to_vec()) },
        schema: Some(json!({"type": "object"})),
        ..ARCHIVE.run_by(pipeline, run)
    }
}

/// When it runs; never unless the settings say so.
pub(crate) fn schedules(options: &PipelineOptions, registry: &Registry) -> Result<Vec<Schedule>, QueueError> {
    if !options.enabled {
        return Ok(Vec::new());
    }
    let name = ARCHIVE.name();
    let no_job = |_| QueueError::BadSetting {
        setting: "customers.pipeline.schedule".to_owned(),
        reason: "has no job".to_owned(),
    };
    let job = registry.job(name, json!({})).map_err(no_job)?;
    // One at a time. A run that takes longer than the schedule goes on in the next one's place.
    let job = Job { unique: Some(Unique::WhileLive(name.to_owned())), ..job };
    Ok(vec![Schedule { name: name.to_owned(), expression: options.schedule.clone(), job }])
}

async fn run(pipeline: Pipeline, context: JobContext, _: NoPayload) -> Result<Shipped, JobError> {
    let mut shipped = Shipped::default();
    // A job may wait for longer than the setting stays.
    if pipeline.is_enabled() {
        // Whatever it is, it may be over by the next attempt: a dead job would not be noticed sooner.
        let ran = pipeline.run(context.call(), Some(&context), &mut shipped).await;
        ran.map_err(|fault| match JobError::from(fault) {
            JobError::GiveUp(reason) => JobError::Retry(reason),
            other => other,
        })?;
    }
    Ok(shipped)
}
