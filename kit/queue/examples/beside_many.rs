//! Enqueueing and running jobs beside two million that have ended and a hundred thousand that wait, and beside fifty
//! thousand that stand behind one blocked lane: against an empty table, in one interleaved run, on both engines.
//!
//! `cargo run --release -p pando-queue --example beside_many --features testing`

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::time::{Duration, Instant};

use pando_clock::Clock;
use pando_database::testing::TestDatabase;
use pando_database::{BulkInsert, ColumnType, Database, OnConflict, Query, params};
use pando_queue::{Job, JobKind, MIGRATIONS, Queue, QueueOptions, QueueParts, Registry, Worker};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const ENDED: usize = 2_000_000;
const WAITING: usize = 100_000;
const BEHIND: usize = 50_000;
/// How many jobs are enqueued, each by itself, and run in a round.
const PROBES: usize = 1_000;
const ROUNDS: usize = 9;

type Failure = Box<dyn std::error::Error + Send + Sync>;

static ROWS: BulkInsert = BulkInsert {
    name: "example.rows",
    table: "queue_jobs",
    columns: &[
        ("id", ColumnType::Uuid),
        ("queue", ColumnType::Text),
        ("kind", ColumnType::Text),
        ("payload", ColumnType::Json),
        ("priority", ColumnType::Smallint),
        ("state", ColumnType::Text),
        ("run_at", ColumnType::Timestamp),
        ("created_at", ColumnType::Timestamp),
        ("ended_at", ColumnType::Timestamp),
        ("attempts", ColumnType::Integer),
        ("attempts_max", ColumnType::Integer),
        ("cancel_requested", ColumnType::Boolean),
        ("rate_granted", ColumnType::Boolean),
        ("lane", ColumnType::Text),
        ("lane_number", ColumnType::Bigint),
        ("size", ColumnType::Integer),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};
static ANALYZE: Query = Query::write("example.analyze", "analyze queue_jobs");

#[tokio::main]
async fn main() -> Result<(), Failure> {
    for engine in 0..2 {
        let mut places = Vec::new();
        for what in ["an empty table", "2,000,000 ended and 100,000 waiting", "50,000 behind one lane"] {
            let test = if engine == 0 { TestDatabase::sqlite() } else { TestDatabase::postgres().await };
            let database = test.open().await;
            database.migrate(&[MIGRATIONS]).await?;
            fill(&database, what).await?;
            let parts =
                QueueParts { database: database.clone(), clock: Clock::system(), metrics: Metrics::new() };
            places.push((what, Queue::new(parts, QueueOptions::default())?, test, Vec::new()));
        }
        // The first round warms up.
        for round in 0..=ROUNDS {
            for turn in 0..places.len() {
                // Each is first in turn: the disk is still busy with the writes of the one before.
                let at = (round + turn) % places.len();
                let (_, queue, _, seen) = &mut places[at];
                let rates = (enqueued(queue).await?, ran(queue).await?);
                seen.extend((round > 0).then_some(rates));
            }
        }
        let engine = places[0].1.database().engine();
        let empty = places[0].3.clone();
        for (what, _, _, seen) in &places {
            let median = |mut figures: Vec<f64>| {
                figures.sort_by(f64::total_cmp);
                figures[figures.len() / 2]
            };
            let enqueue = median(seen.iter().map(|it| it.0).collect());
            let run = median(seen.iter().map(|it| it.1).collect());
            let ratio = median(seen.iter().zip(&empty).map(|(it, empty)| it.0 / empty.0).collect());
            let ran = median(seen.iter().zip(&empty).map(|(it, empty)| it.1 / empty.1).collect());
            println!(
                "{engine} beside {what}: enqueued {enqueue:.0}/s ({ratio:.2} of empty), run {run:.0}/s ({ran:.2})"
            );
        }
    }
    Ok(())
}

async fn fill(database: &Database, what: &str) -> Result<(), Failure> {
    let clock = Clock::system();
    let (now, call) = (clock.now(), Call::internal("beside_many", Duration::from_secs(600)));
    let parts: &[(&str, usize)] = match what {
        "an empty table" => &[],
        "50,000 behind one lane" => &[("scheduled", 1), ("behind", BEHIND)],
        _ => &[("completed", ENDED), ("pending", WAITING)],
    };
    for (state, count) in parts {
        let lane = (*count <= BEHIND).then_some("one");
        for first in (0..*count).step_by(50_000) {
            let row = |number: usize| {
                let ended = (*state == "completed").then_some(now);
                let run_at = if *state == "scheduled" { now.plus_micros(86_400_000_000) } else { now };
                let number = i64::try_from(number).unwrap_or(0) + i64::from(*state == "behind");
                let values = params![
                    clock.fresh_id(),
                    "default",
                    "probe",
                    json!({}),
                    0,
                    *state,
                    run_at,
                    now,
                    ended,
                    0,
                    25,
                    false,
                    false,
                    lane,
                    lane.map(|_| number),
                    2
                ];
                Vec::from(values)
            };
            let rows = (first..(first + 50_000).min(*count)).map(row).collect();
            let mut tx = database.transaction(&call).await?;
            tx.bulk_insert(&ROWS, rows).await?;
            tx.commit().await?;
        }
    }
    let mut tx = database.transaction(&call).await?;
    tx.execute(&ANALYZE, []).await?;
    tx.commit().await?;
    Ok(())
}

/// How many a second are enqueued, each in a transaction of its own.
async fn enqueued(queue: &Queue) -> Result<f64, Failure> {
    let (call, started) = (Call::internal("beside_many", Duration::from_secs(60)), Instant::now());
    for _ in 0..PROBES {
        let mut tx = queue.database().transaction(&call).await?;
        queue.enqueue(&mut tx, Job { priority: 9, ..Job::new("probe", json!({"urgent": true})) }).await?;
        tx.commit().await?;
    }
    Ok(rate(started))
}

/// How many of them a second are claimed, run and completed. The others are less urgent: few of them run.
async fn ran(queue: &Queue) -> Result<f64, Failure> {
    let (began, mut beginnings) = mpsc::unbounded_channel();
    let mut registry = Registry::default();
    registry.add(JobKind::new("probe", move |_, payload: Value| {
        if payload["urgent"] == json!(true) {
            let _ = began.send(());
        }
        async { Ok(Value::Null) }
    }))?;
    let started = Instant::now();
    let worker = Worker::start(queue, registry);
    for _ in 0..PROBES {
        beginnings.recv().await.ok_or("the worker ended")?;
    }
    let rate = rate(started);
    worker.stop(Duration::from_secs(10)).await;
    Ok(rate)
}

fn rate(started: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
    let probes = PROBES as f64;
    probes / started.elapsed().as_secs_f64()
}
