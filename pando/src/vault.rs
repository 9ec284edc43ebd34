//! `pando vault`: brings sealed rows up to the current key.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use pando_clock::Clock;
use pando_customers::reseal_customers;
use pando_resilience::Call;
use pando_telemetry::Metrics;
use pando_vault::Keyring;

use crate::config::Config;
use crate::migrate;

/// How long a run may take: a million rows are sealed in a minute or two.
const BUDGET: Duration = Duration::from_secs(24 * 3_600);

/// Commands about the keys of [vault].
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Seal every row with the current key that another key sealed, or none
    ///
    /// Run this after a key was added, and before an old one is removed. Servers may run meanwhile. A row that cannot be
    /// opened ends the run with exit code 1; those before it are done, and the next run repeats nothing.
    Reseal,
}

/// Runs the command.
pub(crate) async fn run(
    config: &Config,
    VaultCommand::Reseal: VaultCommand,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<()> {
    let vault = Arc::new(Keyring::new(&config.vault)?);
    ensure!(
        vault.has_keys(),
        "the settings have no keys: set vault.keys, vault.current and vault.index_keys"
    );
    migrate::on_database(config, &Metrics::new(), clock, async |database| {
        let call = Call::internal("pando vault reseal", BUDGET);
        let done = reseal_customers(database, &vault, &call).await.context("a row could not be sealed")?;
        writeln!(out, "customers: {} rows read, {} sealed", done.seen, done.sealed)?;
        Ok(())
    })
    .await
}
