//! The gain of sending statements together: the same transactions with `statements.together` on and off, in turn, on both
//! engines.
//!
//! `cargo run --release -p pando-database --features testing --example write_rate -- [seconds] [rounds]`
#![expect(clippy::print_stdout, reason = "a measurement speaks to its reader")]

use std::time::{Duration, Instant};

use pando_database::testing::{TestDatabase, TestPostgres};
use pando_database::{Database, Query, params};
use pando_resilience::Call;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CREATE: Query =
    Query::write("create", "create table notes (id uuid primary key, number bigint, text text)");
const INSERT: Query =
    Query::write("insert", "insert into notes (id, number, text) values ($1, $2, 'some text')");

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let budget = Duration::from_secs(arguments.next().transpose()?.unwrap_or(3));
    let rounds = arguments.next().transpose()?.unwrap_or(5);
    let server = TestPostgres::start(&[]);
    for engine in ["SQLite", "PostgreSQL"] {
        for writers in [1, 16] {
            let mut ratios = Vec::new();
            for _ in 0..rounds {
                let mut rates = [0.0; 2];
                for (rate, together) in rates.iter_mut().zip([true, false]) {
                    let mut test = match engine {
                        "SQLite" => TestDatabase::sqlite(),
                        _ => TestDatabase::on(&server).await,
                    };
                    test.options.statements.together = together;
                    let database = test.open().await;
                    *rate = write(&database, writers, budget).await?;
                    database.close().await;
                }
                println!(
                    "{engine}, {writers:>2} writers: {:>6.0}/s together, {:>6.0}/s apart",
                    rates[0], rates[1]
                );
                ratios.push(rates[0] / rates[1]);
            }
            ratios.sort_by(f64::total_cmp);
            let (least, middle, most) = (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
            println!("{engine}, {writers:>2} writers: {middle:.2} ({least:.2} to {most:.2})");
        }
    }
    Ok(())
}

/// Transactions of two inserts, by so many writers at once; how many a second.
async fn write(database: &Database, writers: usize, budget: Duration) -> Result<f64, Failure> {
    let call = || Call::internal("write", Duration::from_secs(30));
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute(&CREATE, []).await?;
    transaction.commit().await?;
    let clock = pando_clock::Clock::system();
    let started = Instant::now();
    let writers = (0..writers).map(async |_| {
        let mut done = 0_u32;
        while started.elapsed() < budget {
            let mut transaction = database.transaction(&call()).await?;
            for number in 0..2_i64 {
                transaction.execute_later(&INSERT, params![clock.fresh_id(), number]);
            }
            transaction.commit().await?;
            done += 1;
        }
        Ok::<_, Failure>(done)
    });
    let done: u32 = futures_util::future::try_join_all(writers).await?.into_iter().sum();
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}
