//! `pando migrate`: updates the schema of the database.

use std::io::Write;

use anyhow::{Context, Result, bail};
use pando_clock::Clock;
use pando_database::Database;
use pando_telemetry::Metrics;

use crate::config::Config;
use crate::wiring::migrations;

/// Applies what is missing, or only says what that is.
pub(crate) async fn run(
    config: &Config,
    (dry_run, finish): (bool, bool),
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<()> {
    if dry_run && config.database_file().is_some_and(|file| !file.exists()) {
        // Opening it would make it, and a dry run changes nothing.
        for set in migrations() {
            for migration in set.migrations {
                writeln!(out, "would apply {} {} {}", set.service, migration.version, migration.name)?;
            }
        }
        return Ok(());
    }
    let database = Database::open(&config.database_options(), &Metrics::new(), clock)
        .await
        .with_context(|| format!("cannot open the database {}", config.database_place()))?;
    let done = bring_up_to_date(&database, (dry_run, finish), out).await;
    database.close().await;
    done
}

/// Opens the database for a command that works on what is in it.
pub(crate) async fn open(config: &Config, metrics: &Metrics, clock: &Clock) -> Result<Database> {
    let place = config.database_place();
    if config.database_file().is_some_and(|file| !file.exists()) {
        // Opening it would make it, and there is nothing in what was just made.
        bail!("there is no database {place} yet");
    }
    Database::open(&config.database_options(), metrics, clock)
        .await
        .with_context(|| format!("cannot open the database {place}"))
}

/// Does the work of a command on the database, whose schema must be the one of this program, and closes the database.
pub(crate) async fn on_database<T>(
    config: &Config,
    metrics: &Metrics,
    clock: &Clock,
    work: impl AsyncFnOnce(&Database) -> Result<T>,
) -> Result<T> {
    let database = open(config, metrics, clock).await?;
    let done = match check(&database).await {
        Ok(()) => work(&database).await,
        Err(error) => Err(error),
    };
    database.close().await;
    done
}

/// Checks that the schema is the one of this program.
async fn check(database: &Database) -> Result<()> {
    let pending = database.pending_migrations(&migrations()).await?;
    if pending.iter().any(|migration| !migration.waits) {
        bail!("the schema is outdated: run `pando migrate`");
    }
    Ok(())
}

async fn bring_up_to_date(
    database: &Database,
    (dry_run, finish): (bool, bool),
    out: &mut dyn Write,
) -> Result<()> {
    let count = if dry_run {
        let pending = database.pending_migrations(&migrations()).await?;
        let applied = pending.iter().filter(|migration| finish || !migration.waits);
        for migration in applied.clone() {
            writeln!(out, "would apply {} {} {}", migration.service, migration.version, migration.name)?;
        }
        applied.count()
    } else {
        let applied = match finish {
            true => database.finish_migrations(&migrations()).await?,
            false => database.migrate(&migrations()).await?,
        };
        for migration in &applied {
            writeln!(out, "applied {} {} {}", migration.service, migration.version, migration.name)?;
        }
        applied.len()
    };
    if count == 0 {
        writeln!(out, "the schema is up to date")?;
    }
    if !finish {
        for left in
            database.pending_migrations(&migrations()).await?.iter().filter(|migration| migration.waits)
        {
            writeln!(
                out,
                "{} {} {} waits until no process of the version before runs: then run `pando migrate --finish`",
                left.service, left.version, left.name
            )?;
        }
    }
    Ok(())
}
