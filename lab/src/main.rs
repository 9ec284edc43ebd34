//! `pando-lab`: measures Pando beside the limits of the machine.

mod bench;
mod credentials;
mod customers;
mod limits;
mod load;
mod outage;
mod report;
mod sample;
mod server;
mod tls;
mod webhooks;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "pando-lab", about = "Measure it, and compare it with the limit")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Compare with the limits in one interleaved run; print ratios and keep a dated line.
    Bench {
        /// How often each measurement is repeated, in turn with the others.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// How long each load runs, in seconds.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// How many connections each load has.
        #[arg(long, default_value_t = 64)]
        clients: usize,
        /// How many profiles are in the table.
        #[arg(long, default_value_t = 10_000)]
        profiles: usize,
        /// Measure one part only.
        #[arg(long)]
        only: Option<bench::Part>,
        /// The binary to measure; built with `cargo build --release`.
        #[arg(long, default_value = "target/release/pando")]
        binary: PathBuf,
        /// Where the dated line is appended; `-` keeps nothing.
        #[arg(long, default_value = "docs/lab/results.jsonl")]
        results: PathBuf,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Verb::Bench { rounds, seconds, clients, profiles, only, binary, results } = Arguments::parse().verb;
    let plan = bench::Plan { rounds, seconds, clients, profiles, only, binary, results };
    bench::run(plan).await
}
