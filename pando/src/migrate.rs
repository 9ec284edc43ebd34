//! `pando migrate`: updates the schema of the database.

use std::io::Write;

use anyhow::{Context, Result};
use pando_clock::Clock;
use pando_database::Database;
use pando_telemetry::Metrics;

use crate::config::Config;
use crate::wiring::MIGRATIONS;

/// Applies what is missing, or only says what that is.
pub(crate) async fn run(config: &Config, dry_run: bool, clock: &Clock, out: &mut dyn Write) -> Result<()> {
    if dry_run && config.database_file().is_some_and(|file| !file.exists()) {
        // Opening it would make it, and a dry run changes nothing.
        for set in MIGRATIONS {
            for migration in set.migrations {
                writeln!(out, "would apply {} {} {}", set.service, migration.version, migration.name)?;
            }
        }
        return Ok(());
    }
    let database = Database::open(&config.database_options(), &Metrics::new(), clock)
        .await
        .with_context(|| format!("cannot open the database {}", config.database_place()))?;
    let done = bring_up_to_date(&database, dry_run, out).await;
    database.close().await;
    done
}

async fn bring_up_to_date(database: &Database, dry_run: bool, out: &mut dyn Write) -> Result<()> {
    let count = if dry_run {
        let pending = database.pending_migrations(MIGRATIONS).await?;
        for migration in &pending {
            writeln!(out, "would apply {} {} {}", migration.service, migration.version, migration.name)?;
        }
        pending.len()
    } else {
        let applied = database.migrate(MIGRATIONS).await?;
        for migration in &applied {
            writeln!(out, "applied {} {} {}", migration.service, migration.version, migration.name)?;
        }
        applied.len()
    };
    if count == 0 {
        writeln!(out, "the schema is up to date")?;
    }
    Ok(())
}
