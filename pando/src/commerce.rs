//! `pando commerce`: follows the books of the shop, and asks the provider of payments what became of its payments.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use pando_cache::Caches;
use pando_clock::Clock;
use pando_commerce::{Commerce, Mistake, rules_of_books, verify_books};
use pando_resilience::Call;
use pando_telemetry::Metrics;

use crate::config::Config;
use crate::{migrate, wiring};

/// How long a command may take.
const BUDGET: Duration = Duration::from_secs(24 * 3_600);

/// Commands about the shop.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum CommerceCommand {
    /// Follow the books of the shop: stock, reservations, orders, payments and refunds must agree
    ///
    /// It changes nothing, and needs no server. Every place where the books are wrong is named, at most 20 for each rule, and the exit
    /// code is then 1.
    Verify,
    /// Ask the provider about payments and refunds whose outcome is not known
    ///
    /// Servers do so every minute. This does it at once, for payments that have waited for a minute.
    Reconcile,
}

/// Runs the command.
pub(crate) async fn run(
    config: &Config,
    command: CommerceCommand,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    match command {
        CommerceCommand::Verify => verify(config, clock, out).await,
        CommerceCommand::Reconcile => reconcile(config, clock, out).await,
    }
}

async fn verify(config: &Config, clock: &Clock, out: &mut dyn Write) -> Result<ExitCode> {
    let call = Call::internal("pando commerce verify", BUDGET);
    migrate::on_database(config, &Metrics::new(), clock, async |database| {
        let mistakes = verify_books(database, &call).await.context("the books could not be read")?;
        for Mistake { rule, tenant, id, detail } in &mistakes {
            let of = if tenant.is_empty() { String::new() } else { format!(" of {tenant}") };
            writeln!(out, "wrong  {rule} {id}{of}: {detail}")?;
        }
        writeln!(out, "{} rules followed, {} mistakes", rules_of_books(), mistakes.len())?;
        Ok(if mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
    .await
}

async fn reconcile(config: &Config, clock: &Clock, out: &mut dyn Write) -> Result<ExitCode> {
    let (metrics, call) = (Metrics::new(), Call::internal("pando commerce reconcile", BUDGET));
    migrate::on_database(config, &metrics, clock, async |database| {
        let caches = Caches::open(&config.redis_options(), &metrics, clock).await?;
        let parts = wiring::parts(config, (database, &caches), &metrics, clock)?;
        let commerce = Commerce::new(&parts, config.commerce_options(), None)?;
        let done = commerce.reconcile_payments(&call).await;
        caches.close().await;
        let done = done.context("the payments could not be reconciled")?;
        writeln!(out, "{} have an outcome now, {} still have none", done.settled, done.waiting)?;
        Ok(if done.waiting == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
    .await
}
