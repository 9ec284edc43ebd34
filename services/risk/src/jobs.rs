//! The jobs of risk decisions.

use futures_util::future::BoxFuture;
use pando_queue::{JobKind, JobType, NoPayload, QueueError};
use pando_service::prelude::*;

use crate::Risk;

const RESCREEN: JobType<NoPayload> = JobType::new("risk_media_rescreen").within_ms(3_600_000);

/// Adds the jobs to those that the process can run.
pub(crate) fn add(registry: &mut Registry, risk: &Risk) -> Result<(), QueueError> {
    let kind = RESCREEN.run_by(risk, Risk::rescreen_media);
    registry.add(JobKind { summary: "Screens monitorings against changed articles".to_owned(), ..kind })
}

/// Done when the process starts: monitorings are screened again if the articles have changed.
pub(crate) fn at_start(risk: &Risk) -> BoxFuture<'static, ()> {
    let risk = risk.clone();
    Box::pin(async move {
        let noticed = match RESCREEN.job(&NoPayload {}) {
            Ok(job) => risk.notice_new_articles(job).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = noticed {
            tracing::warn!(%error, "monitorings are not screened again: the next start tries it");
        }
    })
}
