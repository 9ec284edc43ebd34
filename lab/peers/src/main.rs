//! `pando-peers`: the cache and the queue beside their peers and the limits of the machine, in one interleaved run.

mod bento;
mod contestants;
mod expiry;
mod hit_ratio;
mod lookups;
mod publish;
mod queue;
mod second_tier;
mod stampede;
mod trace;

// The same table and the same kept line as the other measurements.
#[path = "../../src/report.rs"]
mod report;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use pando_clock::Clock;
use pando_servers::Redis;
use tokio::runtime::Runtime;

use crate::report::Report;

/// The parts to run, and how long.
#[derive(Parser)]
#[command(name = "pando-peers", about = "The cache and the queue beside their peers and their limits")]
struct Plan {
    /// Which parts to run, in this order; all of them when none is named.
    parts: Vec<Part>,
    /// How often each measurement is repeated, in turn with the others.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each load runs, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The folder of the peers that run on Node.js, their packages installed with `npm ci`.
    #[arg(long, default_value = "lab/peers/node")]
    node: PathBuf,
    /// Where the dated line is appended; `-` keeps nothing.
    #[arg(long, default_value = "docs/lab/results.jsonl")]
    results: PathBuf,
}

/// One part of the comparison.
#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// The cost of a hit in this process.
    Lookups,
    /// How much of a trace each policy answers.
    HitRatio,
    /// A thousand cold reads of one key at once.
    Stampede,
    /// A hot key that expires under an even load.
    Expiry,
    /// Hits in Redis.
    SecondTier,
    /// Both tiers, against BentoCache.
    Bento,
    /// Jobs, against Graphile Worker, pg-boss and BullMQ.
    Queue,
    /// Events on their way to RabbitMQ, against its bare client.
    Publish,
}

fn main() -> Result<()> {
    let plan = Plan::parse();
    ensure!(plan.rounds > 0 && plan.seconds > 0, "nothing is measured in no time");
    let mut report = Report::default();
    let parts = if plan.parts.is_empty() { Part::value_variants() } else { &plan.parts };
    for part in parts {
        let name = part.to_possible_value().context("a part without a name")?;
        eprintln!("{}", name.get_name());
        part.run(&plan, &mut report)?;
    }
    eprintln!();
    print(&report.table());
    report.keep(&plan.results, &Clock::system())
}

impl Part {
    fn run(self, plan: &Plan, report: &mut Report) -> Result<()> {
        match self {
            Self::Lookups => lookups::run(plan.rounds, report),
            Self::HitRatio => hit_ratio::run(plan.rounds, report),
            Self::Stampede => Runtime::new()?.block_on(stampede::run(plan.rounds, report)),
            Self::Expiry => Runtime::new()?.block_on(expiry::run(plan.rounds, plan.seconds, report)),
            Self::SecondTier => {
                let redis = Redis::start(&[]);
                Runtime::new()?.block_on(second_tier::run(plan.rounds, plan.seconds, &redis, report))
            }
            Self::Bento => bento::run(plan.rounds, &plan.node, &Redis::start(&[]), report),
            Self::Queue => queue::run(plan.rounds, &plan.node, report),
            Self::Publish => Runtime::new()?.block_on(publish::run(plan.rounds, plan.seconds, report)),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(table: &str) {
    println!("{table}");
}

/// A name put together for the table: it is needed until the program ends.
fn name(text: String) -> &'static str {
    text.leak()
}

/// The value that so many in a hundred do not exceed.
fn percentile(mut figures: Vec<f64>, percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() * percent).div_ceil(100).saturating_sub(1);
    figures.get(place).copied().unwrap_or(f64::NAN)
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "nothing here counts to 2^52")]
fn count(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let figures: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert!((percentile(figures, 99) - 198.0).abs() < 1e-9);
        assert!((percentile(vec![3.0], 99) - 3.0).abs() < 1e-9);
        assert!(percentile(Vec::new(), 99).is_nan());
    }
}
