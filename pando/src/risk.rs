//! `pando risk`: makes decisions again. And the risk of orders, which the shop asks about.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use pando_clock::{Clock, Timestamp};
use pando_commerce::{RiskAnswer, RiskCheck, RiskDecision, RiskQuestion};
use pando_resilience::{Call, Tenant};
use pando_risk::{Party, PartyVerdict, Risk, replay_assessments};
use pando_telemetry::Metrics;

use crate::config::Config;
use crate::migrate;

/// How long a run may take.
const BUDGET: Duration = Duration::from_secs(24 * 3_600);

/// Commands about risk decisions.
#[derive(Debug, Subcommand)]
pub(crate) enum RiskCommand {
    /// Make stored decisions again, and say how many come out differently
    ///
    /// Makes stored decisions again, the oldest first, with the models and the rules that made them, which are kept in the
    /// database. It changes nothing, and needs no server. If a decision comes out differently, it is named, and the exit
    /// code is 1. Assessments from before all facts of a decision were kept are counted.
    Replay(ReplayArguments),
}

/// The decisions to make again.
#[derive(Args, Debug)]
pub(crate) struct ReplayArguments {
    /// Only assessments made at this moment or later, such as 2026-11-30T08:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many assessments at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: usize,
    /// The tenant whose assessments they are
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(
    config: &Config,
    RiskCommand::Replay(arguments): RiskCommand,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let from = match &arguments.from {
        None => Timestamp::from_micros(0),
        Some(text) => text.parse().map_err(|_| anyhow!("--from {text} is no time"))?,
    };
    let tenant = arguments.tenant.as_deref().map(Tenant::named).transpose().context("--tenant")?;
    let call = Call::internal("pando risk replay", BUDGET).of_tenant(tenant.unwrap_or_default());
    migrate::on_database(config, &Metrics::new(), clock, async |database| {
        let done = replay_assessments((database, clock), &call, from, arguments.limit).await;
        let done = done.context("the assessments could not be made again")?;
        for (id, place) in &done.examples {
            writeln!(out, "fail  {id} differs in {place}")?;
        }
        writeln!(
            out,
            "{} assessments: {} the same, {} different, {} not replayable",
            done.seen, done.same, done.different, done.not_replayable
        )?;
        Ok(if done.different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
    .await
}

/// The check that the shop makes before it charges an order: the names of the buyer are compared with the lists.
pub(crate) fn check_of_orders(risk: &Risk) -> RiskCheck {
    let risk = risk.clone();
    Arc::new(move |call: Call, RiskQuestion { names, country, .. }: RiskQuestion| {
        let risk = risk.clone();
        Box::pin(async move {
            let (decision, reason) = match risk.check_party(&call, &Party { names, country }).await? {
                PartyVerdict::Clear => (RiskDecision::Approve, String::new()),
                PartyVerdict::Match(reason) => (RiskDecision::Review, reason),
                PartyVerdict::Blocked(reason) => (RiskDecision::Decline, reason),
            };
            Ok(RiskAnswer { decision, reason })
        })
    })
}
