//! The rate of reading and writing single rows, compared in one run with tools that do not use this crate: pgbench for
//! PostgreSQL, a bare rusqlite loop for SQLite.
//!
//! `cargo run --release -p pando-database --features testing --example read_rate -- [seconds] [rounds] [sqlite]`
#![expect(clippy::print_stdout, reason = "a measurement speaks to its reader")]

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pando_database::testing::{TestDatabase, TestPostgres};
use pando_database::{Database, KeyedQuery, Query, params};
use pando_resilience::Call;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const ACCOUNTS: i64 = 100_000;
const KEYED: KeyedQuery =
    KeyedQuery::new("keyed", "select aid, abalance from pgbench_accounts where aid = any($1)");
const POINT: Query = Query::point("point", "select abalance from pgbench_accounts where aid = $1");
const SCAN: Query = Query::scan("scan", "select abalance from pgbench_accounts where aid = $1");
const CREATE: Query = Query::write(
    "create",
    "create table pgbench_accounts (aid integer primary key, bid integer, abalance integer, filler text)",
);
const INSERT: Query = Query::write(
    "insert",
    "insert into pgbench_accounts (aid, bid, abalance, filler) values ($1, 1, $1 % 1000, 'filler of some length')",
);

#[derive(Clone, Copy)]
enum How {
    Keyed,
    Point,
    Scan,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let only = std::env::args().nth(3);
    let mut arguments = std::env::args().skip(1).take(2).map(|argument| argument.parse::<u64>());
    let seconds = arguments.next().transpose()?.unwrap_or(3);
    let rounds = arguments.next().transpose()?.unwrap_or(3);
    if only.as_deref() != Some("sqlite") {
        postgres(seconds, rounds).await?;
    }
    sqlite_reads(Duration::from_secs(seconds), rounds).await?;
    sqlite_writes(Duration::from_secs(seconds)).await
}

async fn postgres(seconds: u64, rounds: u64) -> Result<(), Failure> {
    let server = TestPostgres::start(&["fsync=off"]);
    pgbench(&server, &["-i", "-q", "-s", "1"])?;
    let budget = Duration::from_secs(seconds);
    for clients in [16, 64] {
        let mut best: Vec<(String, f64)> = Vec::new();
        for _ in 0..rounds {
            let count = clients.to_string();
            let time = seconds.to_string();
            let run = ["-n", "-S", "-M", "prepared", "-j", "2", "-c", &count, "-T", &time];
            keep_best(&mut best, "pgbench -S -M prepared", pgbench(&server, &run)?);
            for (name, how, connections, batches) in [
                ("coalesced, 4 connections, 1 batch", How::Keyed, 4, 1),
                ("coalesced, 4 connections, 2 batches", How::Keyed, 4, 2),
                ("coalesced, 4 connections, 4 batches", How::Keyed, 4, 4),
                ("coalesced, 2 connections, 2 batches", How::Keyed, 2, 2),
                ("point, 2 shared connections", How::Point, 2, 1),
                ("point, 4 shared connections", How::Point, 4, 1),
                ("point, 8 shared connections", How::Point, 8, 1),
                ("pool of 20", How::Scan, 4, 1),
            ] {
                let mut test = TestDatabase::on(&server).await;
                test.options.database = None;
                (test.options.reads.connections, test.options.reads.coalesce_batches_max) =
                    (connections, batches);
                let database = test.open().await;
                keep_best(&mut best, name, reads(&database, how, clients, budget).await?);
                database.close().await;
            }
        }
        let base = best[0].1;
        for (name, rate) in best {
            println!("postgres, {clients} callers: {name:38} {rate:>9.0}/s  {:.2}", rate / base);
        }
    }
    Ok(())
}

fn keep_best(best: &mut Vec<(String, f64)>, name: &str, rate: f64) {
    match best.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = known.max(rate),
        None => best.push((name.to_owned(), rate)),
    }
}

/// Runs pgbench and returns what it says of its rate.
fn pgbench(server: &TestPostgres, arguments: &[&str]) -> Result<f64, Failure> {
    let output = Command::new("pgbench").args(arguments).arg(server.url()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    Ok(rate.unwrap_or(0.0))
}

/// Reads one row at a time in `tasks` tasks; rows a second.
async fn reads(database: &Database, how: How, tasks: i64, budget: Duration) -> Result<f64, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let readers: Vec<_> = (0..tasks)
        .map(|task| {
            let (database, stop) = (database.clone(), Arc::clone(&stop));
            pando_telemetry::spawn("reader", async move {
                let (mut done, mut key) = (0_u32, task * 7_919);
                let call = Call::internal("read", Duration::from_secs(60));
                while !stop.load(Ordering::Relaxed) {
                    key = (key * 1_103 + 12_345) % ACCOUNTS;
                    let read = database.read(&call);
                    let row = match how {
                        How::Keyed => read.by_key(&KEYED, key + 1).await?,
                        How::Point => read.row(&POINT, params![key + 1]).await?,
                        How::Scan => read.row(&SCAN, params![key + 1]).await?,
                    };
                    black_box(row.ok_or("a row is missing")?);
                    done += 1;
                }
                Ok::<u32, Failure>(done)
            })
        })
        .collect();
    tokio::time::sleep(budget).await;
    stop.store(true, Ordering::Relaxed);
    let mut done = 0;
    for reader in readers {
        done += reader.await??;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}

async fn sqlite_reads(budget: Duration, rounds: u64) -> Result<(), Failure> {
    let test = TestDatabase::sqlite();
    let database = test.open().await;
    let call = Call::internal("fill", Duration::from_secs(60));
    let mut transaction = database.transaction(&call).await?;
    transaction.execute(&CREATE, []).await?;
    for key in 1..=ACCOUNTS {
        transaction.execute(&INSERT, params![key]).await?;
    }
    transaction.commit().await?;
    let mut best = Vec::new();
    for _ in 0..rounds {
        keep_best(&mut best, "bare rusqlite loop, statement kept", bare(&test, budget, true)?);
        keep_best(&mut best, "bare rusqlite loop, prepare_cached", bare(&test, budget, false)?);
        keep_best(&mut best, "point, one task", reads(&database, How::Point, 1, budget).await?);
        keep_best(&mut best, "by_key, one task", reads(&database, How::Keyed, 1, budget).await?);
        keep_best(&mut best, "point, 64 tasks", reads(&database, How::Point, 64, budget).await?);
        keep_best(&mut best, "scan thread, one task", reads(&database, How::Scan, 1, budget).await?);
    }
    let base = best[0].1;
    for (name, rate) in best {
        println!("sqlite reads: {name:38} {rate:>9.0}/s  {:.2}", rate / base);
    }
    Ok(())
}

/// The read rate of one thread without this crate.
fn bare(test: &TestDatabase, budget: Duration, kept: bool) -> Result<f64, Failure> {
    let connection = rusqlite::Connection::open(&test.options.sqlite.path)?;
    connection.execute_batch("pragma cache_size = -8192")?;
    let text = "select abalance from pgbench_accounts where aid = ?1";
    let mut statement = connection.prepare(text)?;
    let started = Instant::now();
    let (mut done, mut key) = (0_u32, 0);
    while started.elapsed() < budget {
        for _ in 0..100 {
            key = (key * 1_103 + 12_345) % ACCOUNTS;
            let balance: i64 = if kept {
                statement.query_row([key + 1], |row| row.get(0))?
            } else {
                connection.prepare_cached(text)?.query_row([key + 1], |row| row.get(0))?
            };
            black_box(balance);
            done += 1;
        }
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}

async fn sqlite_writes(budget: Duration) -> Result<(), Failure> {
    for (group, tasks) in [(1, 1), (64, 1), (1, 64), (64, 64), (256, 256)] {
        let mut test = TestDatabase::sqlite();
        test.options.sqlite.group_commit_max = group;
        test.options.pool.checkout_ms = 10_000;
        let database = test.open().await;
        let call = Call::internal("create", Duration::from_secs(60));
        let mut transaction = database.transaction(&call).await?;
        transaction.execute(&CREATE, []).await?;
        transaction.commit().await?;
        let rate = writes(&database, tasks, budget).await?;
        println!("sqlite writes: group of {group:>3}, {tasks:>3} writers {rate:>9.0}/s");
    }
    Ok(())
}

async fn writes(database: &Database, tasks: i64, budget: Duration) -> Result<f64, Failure> {
    let started = Instant::now();
    let writers: Vec<_> = (0..tasks)
        .map(|task| {
            let database = database.clone();
            pando_telemetry::spawn("writer", async move {
                let mut done = 0_u32;
                while started.elapsed() < budget {
                    let call = Call::internal("write", Duration::from_secs(30));
                    let mut transaction = database.transaction(&call).await?;
                    transaction.execute(&INSERT, params![i64::from(done) * 1_000 + task]).await?;
                    transaction.commit().await?;
                    done += 1;
                }
                Ok::<u32, Failure>(done)
            })
        })
        .collect();
    let mut done = 0;
    for writer in writers {
        done += writer.await??;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}
