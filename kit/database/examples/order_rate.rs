//! The gain of `BatchQuery` and of `must_change`: orders of so many lines take stock, in three ways in turn, on both engines.
//!
//! - batch: one statement for all lines, whose answer is looked at before the commit;
//! - each: a statement for each line in one trip (`rows_each`), then the same;
//! - counted: a statement for each line, and they all travel with the commit, because each must change one row.
//!
//! `cargo run --release -p pando-database --features testing --example order_rate -- [seconds] [rounds]`
#![expect(clippy::print_stdout, reason = "a measurement speaks to its reader")]

use std::time::{Duration, Instant};

use pando_database::testing::{TestDatabase, TestPostgres};
use pando_database::{BatchQuery, BulkInsert, ColumnType, Database, OnConflict, Query, Transaction, params};
use pando_resilience::Call;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const GOODS: u128 = 10_000;
const WRITERS: usize = 8;
const CREATE: Query =
    Query::write("create", "create table stock (id uuid primary key, quantity bigint not null)");
const FILL: BulkInsert = BulkInsert {
    name: "fill",
    table: "stock",
    columns: &[("id", ColumnType::Uuid), ("quantity", ColumnType::Bigint)],
    on_conflict: OnConflict::Fail,
    key: "id",
};
const BATCH: BatchQuery = BatchQuery {
    name: "batch",
    columns: &[("id", ColumnType::Uuid), ("wanted", ColumnType::Bigint)],
    sql: "update stock set quantity = quantity - batch.wanted from batch \
          where stock.id = batch.id and quantity >= batch.wanted returning stock.id",
};
const EACH: Query = Query::write(
    "each",
    "update stock set quantity = quantity - $2 where id = $1 and quantity >= $2 returning id",
);
const COUNTED: Query =
    Query::write("counted", "update stock set quantity = quantity - $2 where id = $1 and quantity >= $2")
        .must_change(1);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let budget = Duration::from_secs(arguments.next().transpose()?.unwrap_or(2));
    let rounds = arguments.next().transpose()?.unwrap_or(5);
    let server = TestPostgres::start(&[]);
    for (engine, lines) in [("SQLite", 3), ("SQLite", 50), ("PostgreSQL", 3), ("PostgreSQL", 50)] {
        let test = match engine {
            "SQLite" => TestDatabase::sqlite(),
            _ => TestDatabase::on(&server).await,
        };
        let database = test.open().await;
        fill(&database).await?;
        let mut rates: [Vec<f64>; 3] = Default::default();
        for _ in 0..rounds {
            for (way, rates) in rates.iter_mut().enumerate() {
                rates.push(order(&database, (way, lines), budget).await?);
            }
        }
        for (name, way) in [("batch", 0), ("counted", 2)] {
            let mut ratios: Vec<f64> =
                rates[way].iter().zip(&rates[1]).map(|(way, each)| way / each).collect();
            ratios.sort_by(f64::total_cmp);
            let (least, middle, most) = (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
            let rate = rates[way][0];
            println!(
                "{engine}, {lines:>2} lines: {name} {rate:.0}/s, {middle:.2} ({least:.2} to {most:.2}) of each"
            );
        }
        database.close().await;
    }
    Ok(())
}

fn call() -> Call {
    Call::internal("order", Duration::from_secs(30))
}

async fn fill(database: &Database) -> Result<(), Failure> {
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute(&CREATE, []).await?;
    let rows = (0..GOODS).map(|good| params![Uuid::from_u128(good), i64::MAX / 2].to_vec()).collect();
    transaction.bulk_insert(&FILL, rows).await?;
    transaction.commit().await?;
    Ok(())
}

/// Orders by some writers at once, each of goods of its own so that nobody waits for a row; how many a second.
async fn order(database: &Database, how: (usize, u128), budget: Duration) -> Result<f64, Failure> {
    let started = Instant::now();
    let writers = (0..WRITERS as u128).map(async |writer| {
        let (mut done, mut next) = (0_u32, 0);
        while started.elapsed() < budget {
            let goods = (0..how.1).map(|line| (next + line) * WRITERS as u128 + writer);
            let goods = goods.map(|good| Uuid::from_u128(good % GOODS)).collect();
            take(database.transaction(&call()).await?, how.0, goods).await?;
            (done, next) = (done + 1, next + how.1);
        }
        Ok::<_, Failure>(done)
    });
    let done: u32 = futures_util::future::try_join_all(writers).await?.into_iter().sum();
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}

async fn take(mut transaction: Transaction, way: usize, goods: Vec<Uuid>) -> Result<(), Failure> {
    let lines = goods.len();
    let rows = || goods.iter().map(|good| params![*good, 1].to_vec());
    let taken = match way {
        0 => transaction.batch(&BATCH, rows().collect()).await?.len(),
        1 => transaction.rows_each(&EACH, rows().collect()).await?.len(),
        _ => {
            rows().for_each(|row| transaction.execute_later(&COUNTED, row));
            lines
        }
    };
    assert_eq!(taken, lines, "there is plenty of each");
    transaction.commit().await?;
    Ok(())
}
