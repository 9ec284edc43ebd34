//! `pando pipeline`: archives customers, and shows how far that has come.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use pando_clock::Clock;
use pando_customers::{PIPELINE, Pipeline, PipelineStatus, Shipped};
use pando_objects::Objects;
use pando_resilience::Call;
use pando_telemetry::Metrics;
use pando_vault::Keyring;

use crate::config::Config;
use crate::{files, jobs, migrate};

/// How long a run may take: the first one may be about millions. Each of its steps has a limit of its own.
const RUN_BUDGET: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How long a status may take.
const STATUS_BUDGET: Duration = Duration::from_secs(60);

/// Commands about the pipeline.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum PipelineCommand {
    /// Archive what has changed since the last run, until nothing is left
    ///
    /// Archives every customer that has changed since the last run, whether or not customers.pipeline.enabled is set. It
    /// works beside running servers, and while they archive by themselves. If the object store or the database fails, it
    /// ends with exit code 1; the next run continues where it stopped.
    Run,
    /// Show how far the pipeline has come, how much is left, and the customers that could not be archived
    Status,
}

/// Runs the command.
pub(crate) async fn run(
    config: &Config,
    command: PipelineCommand,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<()> {
    let metrics = Metrics::new();
    migrate::on_database(config, &metrics, clock, async |database| {
        let queue = jobs::queue(config, database, &metrics, clock)?;
        let vault = Arc::new(Keyring::new(&config.vault)?);
        let objects = Objects::open(&config.objects_options(), &metrics, clock)?;
        let pipeline = Pipeline::new(&queue, &objects, &vault, &metrics, &config.customers.pipeline)?;
        match command {
            PipelineCommand::Run => {
                files::check(database, &objects, clock, &config.files_place()).await?;
                archive(&pipeline, out).await
            }
            PipelineCommand::Status => {
                let status = pipeline.status(&Call::internal("pando pipeline", STATUS_BUDGET)).await?;
                show(&status, out)
            }
        }
    })
    .await
}

async fn archive(pipeline: &Pipeline, out: &mut dyn Write) -> Result<()> {
    let mut shipped = Shipped::default();
    let ran = pipeline.run(&Call::internal("pando pipeline", RUN_BUDGET), None, &mut shipped).await;
    let Shipped { customers, objects, bytes, dead } = shipped;
    writeln!(
        out,
        "{customers} customers archived, {objects} objects with {bytes} bytes, {dead} dead letters"
    )?;
    ran.context("not everything was archived; run it again")
}

fn show(status: &PipelineStatus, out: &mut dyn Write) -> Result<()> {
    match &status.place {
        None => writeln!(out, "nothing has been archived yet")?,
        Some(place) => {
            let behind = match (place.events, place.since) {
                (0, _) | (_, None) => "has them all".to_owned(),
                (events, Some(since)) => format!("{events} events behind since {since}"),
            };
            writeln!(out, "{PIPELINE}: at event {}, {behind}", place.position)?;
            match place.position {
                0 => writeln!(out, "last success: none")?,
                _ => writeln!(out, "last success: {}", place.moved_at)?,
            }
        }
    }
    writeln!(out, "dead letters: {}", status.dead_count)?;
    for letter in &status.dead {
        let tenant = match letter.tenant.is_default() {
            true => String::new(),
            false => format!(" of {}", letter.tenant),
        };
        let (id, version, since, reason) =
            (&letter.customer_id, letter.version, letter.created_at, &letter.reason);
        writeln!(out, "  customer {id}{tenant}, version {version}, since {since}: {reason}")?;
    }
    Ok(())
}
