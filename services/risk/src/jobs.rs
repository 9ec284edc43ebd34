//! The jobs of this service.

use pando_queue::{Job, JobKind, JobType, NoPayload, QueueError, Registry, Schedule, Unique};
use serde_json::json;

use crate::Risk;
use crate::backtest_ruleset::BACKTEST;
use crate::domain::batch::RUN;
use crate::rescreen_businesses::RESCREEN;
use crate::rescreen_media::RESCREEN_MEDIA;

const SWEEP: JobType<NoPayload> = JobType::new("risk_sweep").within_ms(3_600_000);

const PARTITIONS: JobType<NoPayload> = JobType::new("risk_partitions").within_ms(600_000);
const ARCHIVE: JobType<NoPayload> = JobType::new("risk_archive").within_ms(6 * 3_600_000);

/// Adds the jobs to those that the process can run.
pub(crate) fn add(registry: &mut Registry, risk: &Risk) -> Result<(), QueueError> {
    let kind = |summary: &str, kind: JobKind| JobKind { summary: summary.to_owned(), ..kind };
    registry.add(kind("Assesses the businesses of a batch", RUN.run_by(risk, Risk::run_batch)))?;
    let make = PARTITIONS.run_by(risk, Risk::run_make_partitions);
    registry.add(kind("Makes the partitions of the next months", make))?;
    registry.add(kind("Moves old assessments into the archive", ARCHIVE.run_by(risk, Risk::archive)))?;
    let backtest = BACKTEST.run_by(risk, Risk::run_backtest);
    registry.add(kind("Runs a version of rules over stored assessments", backtest))?;
    let rescreen = RESCREEN.run_by(risk, Risk::rescreen);
    registry.add(kind("Screens businesses under monitoring against changed entries of a list", rescreen))?;
    let media = RESCREEN_MEDIA.run_by(risk, Risk::rescreen_media);
    registry.add(kind("Screens monitorings of media against changed articles", media))?;
    registry.add(kind("Forgets old batches", SWEEP.run_by(risk, Risk::sweep_batches)))
}

/// The jobs that come again and again.
pub(crate) fn schedules() -> Vec<Schedule> {
    vec![every(&SWEEP, "@hourly"), every(&PARTITIONS, "@daily"), every(&ARCHIVE, "30 2 * * *")]
}

fn every(kind: &JobType<NoPayload>, expression: &str) -> Schedule {
    let name = kind.name();
    let job = Job { unique: Some(Unique::WhileLive(name.to_owned())), ..Job::new(name, json!({})) };
    Schedule { name: name.to_owned(), expression: expression.to_owned(), job }
}
