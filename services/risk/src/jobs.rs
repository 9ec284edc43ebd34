//! The jobs of this service.

use pando_queue::{JobKind, QueueError, Registry};

use crate::Risk;
use crate::backtest_ruleset::BACKTEST;
use crate::rescreen_businesses::RESCREEN;

/// Adds the jobs to those that the process can run.
pub(crate) fn add(registry: &mut Registry, risk: &Risk) -> Result<(), QueueError> {
    registry.add(JobKind {
        summary: "Runs a version of rules over stored assessments".to_owned(),
        ..BACKTEST.run_by(risk, Risk::run_backtest)
    })?;
    registry.add(JobKind {
        summary: "Screens businesses under monitoring against changed entries of a list".to_owned(),
        ..RESCREEN.run_by(risk, Risk::rescreen)
    })
}
