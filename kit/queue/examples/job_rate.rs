//! Measures how many jobs a second one process runs on this machine, and how soon an idle worker starts a job.
//!
//! `cargo run --release -p pando-queue --example job_rate --features testing`

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pando_clock::Clock;
use pando_database::testing::{TestDatabase, TestPostgres};
use pando_database::{Database, Engine};
use pando_queue::{Job, JobKind, MIGRATIONS, Queue, QueueOptions, QueueParts, Registry, Worker};
use pando_resilience::Call;
use serde_json::{Value, json};
use tokio::sync::mpsc;

type Failure = Box<dyn std::error::Error>;

const JOBS: usize = 50_000;
const PROBES: usize = 200;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let file = TestDatabase::sqlite();
    measure(&file.open().await, &file).await?;
    // With the settings a server has by itself: every commit waits for the disk.
    let server = TestPostgres::start(&["shared_buffers=256MB", "max_wal_size=4GB"]);
    let test = TestDatabase::on(&server).await;
    measure(&test.open().await, &test).await
}

async fn measure(database: &Database, test: &TestDatabase) -> Result<(), Failure> {
    database.migrate(&[MIGRATIONS]).await?;
    let parts =
        QueueParts { database: database.clone(), clock: Clock::system(), metrics: test.metrics.clone() };
    let queue = Queue::new(parts, QueueOptions { concurrency: 64, ..QueueOptions::default() })?;
    let engine = database.engine();
    one_by_one(&queue, engine).await?;
    let started = Instant::now();
    for _ in 0..JOBS / 500 {
        let jobs = (0..500).map(|number| Job::new("empty", json!({"number": number}))).collect();
        let mut tx = database.transaction(&call()).await?;
        queue.enqueue_many(&mut tx, jobs).await?;
        tx.commit().await?;
    }
    report(engine, "enqueued, 500 in a transaction", JOBS, started.elapsed());
    drain(&queue, engine).await?;
    idle(&queue, engine).await?;
    for line in test.metrics.render().lines() {
        let shown = ["queue_operation_duration_seconds_sum", "queue_operation_duration_seconds_count"];
        if shown.iter().any(|name| line.starts_with(name)) {
            eprintln!("{line}");
        }
    }
    Ok(())
}

/// Sixteen callers, each with a transaction for every job.
async fn one_by_one(queue: &Queue, engine: Engine) -> Result<(), Failure> {
    let (started, each) = (Instant::now(), 300);
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let queue = queue.clone();
            pando_telemetry::spawn("example.caller", async move {
                for _ in 0..each {
                    let mut tx = queue.database().transaction(&call()).await?;
                    queue
                        .enqueue(&mut tx, Job::new("empty", json!({})))
                        .await
                        .map_err(|_| pando_database::DatabaseError::Contention { name: "example" })?;
                    tx.commit().await?;
                }
                Ok::<(), pando_database::DatabaseError>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    report(engine, "enqueued, each in a transaction, 16 callers", 16 * each, started.elapsed());
    Ok(())
}

/// Everything there is, by one worker.
async fn drain(queue: &Queue, engine: Engine) -> Result<(), Failure> {
    let ran = Arc::new(AtomicUsize::new(0));
    let (counted, total) = (Arc::clone(&ran), JOBS + 16 * 300);
    let (done, mut all) = mpsc::channel(1);
    let mut registry = Registry::default();
    registry.add(JobKind::new("empty", move |_, _| {
        if counted.fetch_add(1, Ordering::Relaxed) + 1 == total {
            let _ = done.try_send(());
        }
        async { Ok(Value::Null) }
    }))?;
    let started = Instant::now();
    let worker = Worker::start(queue, registry);
    let _ = all.recv().await;
    // What was run is written down before the stop returns.
    worker.stop(Duration::from_secs(10)).await;
    report(engine, "claimed, run, completed", total, started.elapsed());
    Ok(())
}

/// From the call that adds a job, or its moment, to the handler, when nothing else is going on.
async fn idle(queue: &Queue, engine: Engine) -> Result<(), Failure> {
    let (began, mut beginnings) = mpsc::unbounded_channel();
    let mut registry = Registry::default();
    registry.add(JobKind::new("probe", move |_, _| {
        let _ = began.send(Instant::now());
        async { Ok(Value::Null) }
    }))?;
    let elsewhere = QueueParts {
        database: queue.database().clone(),
        clock: Clock::system(),
        metrics: pando_telemetry::Metrics::new(),
    };
    let elsewhere = Queue::new(elsewhere, QueueOptions::default())?;
    for (what, queue, at) in [("the same process", queue, queue), ("another process", queue, &elsewhere)] {
        if engine == Engine::Sqlite && what == "another process" {
            continue;
        }
        let worker = Worker::start(at, registry.clone());
        for delay_ms in [0, 250] {
            let pause = Duration::from_millis(if delay_ms == 0 { 20 } else { 0 });
            let mut late = Histogram::<u64>::new(3)?;
            for _ in 0..if delay_ms == 0 { PROBES } else { 20 } {
                // Nothing goes on in between, also here.
                tokio::time::sleep(pause).await;
                let asked = Instant::now();
                let due = queue.clock().now().plus_micros(delay_ms * 1_000);
                let mut tx = queue.database().transaction(&call()).await?;
                queue.enqueue(&mut tx, Job { run_at: Some(due), ..Job::new("probe", json!({})) }).await?;
                tx.commit().await?;
                let due = asked + Duration::from_millis(u64::try_from(delay_ms)?);
                let began = beginnings.recv().await.ok_or("the worker ended")?;
                late.record(u64::try_from(began.saturating_duration_since(due).as_micros())?)?;
            }
            let (p50, p95) = (late.value_at_quantile(0.5), late.value_at_quantile(0.95));
            println!(
                "{engine:<12} a worker in {what} begins, delay {delay_ms} ms: p50 {p50} µs, p95 {p95} µs late"
            );
        }
        worker.stop(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn call() -> Call {
    Call::internal("job_rate", Duration::from_secs(30))
}

fn report(engine: Engine, what: &str, jobs: usize, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
    let rate = jobs as f64 / took.as_secs_f64();
    println!("{engine:<12} {what}: {rate:.0} jobs/s");
}
