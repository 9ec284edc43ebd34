//! The cost of an audit entry: transactions with one insert, with and without `record`, in turn, on both engines. A sealer runs all the
//! time, as in a server, and the time includes the sealing of the last entries.
//!
//! `cargo run --release -p pando-audit --example record_cost -- [milliseconds] [rounds]`
#![expect(clippy::print_stdout, reason = "a measurement speaks to its reader")]

use std::time::{Duration, Instant};

use pando_audit::{Audit, AuditOptions, Entry, EntryResult, MIGRATIONS};
use pando_clock::Clock;
use pando_database::testing::{TestDatabase, TestPostgres};
use pando_database::{Database, Migration, MigrationSet, Query, params};
use pando_resilience::Call;
use pando_telemetry::Metrics;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CUSTOMERS: MigrationSet = MigrationSet {
    service: "record_cost",
    migrations: &[Migration::new(
        1,
        "customers",
        "create table customers (id uuid primary key, name text not null, version bigint not null)",
    )],
};
const INSERT: Query =
    Query::write("customers.insert", "insert into customers (id, name, version) values ($1, 'Zoë', 1)");

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let budget = Duration::from_millis(arguments.next().transpose()?.unwrap_or(500));
    let rounds = arguments.next().transpose()?.unwrap_or(31);
    let server = TestPostgres::start(&[]);
    for engine in ["SQLite", "PostgreSQL"] {
        for writers in [1, 16] {
            let test = match engine {
                "SQLite" => TestDatabase::sqlite(),
                _ => TestDatabase::on(&server).await,
            };
            let database = test.open().await;
            database.migrate(&[MIGRATIONS, CUSTOMERS]).await?;
            let audit = Audit::new(&database, &Clock::system(), &Metrics::new(), AuditOptions::default())?;
            audit.keep_sealed();
            let (mut ratios, mut all) = (Vec::new(), Vec::new());
            for round in 0..rounds {
                let mut rates = [0.0; 2];
                // Whichever is first in one round is second in the next.
                for index in [round % 2, (round + 1) % 2] {
                    let audit = (index == 0).then_some(&audit);
                    rates[usize::from(audit.is_none())] = write(&database, audit, writers, budget).await?;
                }
                let [with, without] = rates;
                ratios.push(with / without);
                all.push((with, without));
            }
            ratios.sort_by(f64::total_cmp);
            let at = |quarter: usize| ratios[(ratios.len() - 1) * quarter / 4];
            let median = |rates: &mut Vec<f64>| {
                rates.sort_by(f64::total_cmp);
                rates[rates.len() / 2]
            };
            let (mut with, mut without): (Vec<f64>, Vec<f64>) = all.into_iter().unzip();
            println!(
                "{engine}, {writers:>2} writers: {:.2} (half of the rounds {:.2} to {:.2}); {:.0}/s with, {:.0}/s without",
                at(2),
                at(1),
                at(3),
                median(&mut with),
                median(&mut without)
            );
            database.close().await;
        }
    }
    Ok(())
}

/// Transactions by so many writers at once; how many a second.
async fn write(
    database: &Database,
    audit: Option<&Audit>,
    writers: usize,
    budget: Duration,
) -> Result<f64, Failure> {
    let clock = Clock::system();
    let started = Instant::now();
    let writers = (0..writers).map(async |_| {
        let mut done = 0_u32;
        while started.elapsed() < budget {
            let call = Call::internal("0198a0b2-2f6e-7c51-9d5e-3a0f6f1f8a11", Duration::from_secs(30));
            let id = clock.fresh_id();
            let mut tx = database.transaction(&call).await?;
            tx.execute_later(&INSERT, params![id]);
            if let Some(audit) = audit {
                let entry = Entry {
                    action: "customers.create",
                    resource: "customer",
                    resource_id: &id.to_string(),
                    result: EntryResult::Ok,
                    details: serde_json::json!({"version": 1}),
                };
                audit.record(&mut tx, &call, &entry);
            }
            tx.commit().await?;
            done += 1;
        }
        Ok::<_, Failure>(done)
    });
    let done: u32 = futures_util::future::try_join_all(writers).await?.into_iter().sum();
    if let Some(audit) = audit {
        audit.seal_once().await?;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}
