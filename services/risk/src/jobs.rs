//! The jobs of this service.

use pando_queue::{JobKind, QueueError, Registry};

use crate::Risk;
use crate::backtest_ruleset::BACKTEST;

/// Adds the jobs to those that the process can run.
pub(crate) fn add(registry: &mut Registry, risk: &Risk) -> Result<(), QueueError> {
    registry.add(JobKind {
        summary: "Runs a version of rules over stored assessments".to_owned(),
        ..BACKTEST.run_by(risk, Risk::run_backtest)
    })
}
