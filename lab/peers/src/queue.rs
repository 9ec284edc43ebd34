//! Jobs: our queue on PostgreSQL and on a file, beside Graphile Worker and pg-boss on the same server, and BullMQ.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use pando_clock::Clock;
use pando_database::Database;
use pando_database::testing::{TestDatabase, TestPostgres};
use pando_queue::{Job, JobKind, MIGRATIONS, Queue, QueueOptions, QueueParts, Registry, Worker};
use pando_resilience::Call;
use pando_servers::Redis;
use pando_telemetry::Metrics;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::report::{Report, median};

/// Jobs that are added each by itself, by sixteen callers; and those added five hundred at a time.
const SINGLE: usize = 3_200;
const BULK: usize = 30_000;
const BATCH: usize = 500;
const CALLERS: usize = 16;
/// BullMQ on a Redis that flushes.
const FLUSHING: &str = "BullMQ, flushed";
/// Jobs that run at once.
const AT_ONCE: usize = 64;
/// Jobs of which it is looked how soon they begin, and how many before are not counted.
const PROBES: usize = 100;
const WARM_UP: usize = 10;
/// Between two of them nothing happens.
const PAUSE: Duration = Duration::from_millis(20);

/// The results of one run: jobs per second, and milliseconds until a job began.
#[derive(Debug, Deserialize)]
struct Seen {
    single: f64,
    bulk: f64,
    completed: f64,
    /// From the call that adds a job.
    latencies: Vec<f64>,
    /// From the return of that call; nothing for a job that began before.
    waits: Vec<f64>,
    /// Ours alone: as they are when jobs do not begin where they were added, and when the worker is another process.
    #[serde(default)]
    elsewhere: Vec<f64>,
}

/// A contestant, and what its runs showed.
struct Contestant {
    name: &'static str,
    seen: Vec<Seen>,
}

impl Contestant {
    fn figures(&self, figure: impl Fn(&Seen) -> f64) -> Vec<f64> {
        self.seen.iter().map(figure).collect()
    }

    fn percentile(&self, latencies: impl Fn(&Seen) -> &Vec<f64>, percent: usize) -> f64 {
        median(&self.figures(|seen| crate::percentile(latencies(seen).clone(), percent)))
    }
}

pub(crate) fn run(rounds: usize, folder: &Path, report: &mut Report) -> Result<()> {
    ensure!(folder.join("node_modules").exists(), "run `npm ci` in {} first", folder.display());
    // With the settings a server has by itself: every commit waits for the disk.
    let postgres = TestPostgres::start(&["shared_buffers=256MB", "max_wal_size=4GB"]);
    // BullMQ as people usually run it, with nothing on the disk; and with every acknowledged write on the disk, as with the
    // others.
    let redis = Redis::start(&[]);
    let flushing = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let runtime = Runtime::new()?;
    let names = ["PostgreSQL", "SQLite", "Graphile Worker", "pg-boss", FLUSHING, "BullMQ"];
    let mut all = names.map(|name| Contestant { name, seen: Vec::new() });
    for round in 0..rounds {
        eprintln!("  round {} of {rounds}", round + 1);
        for turn in 0..all.len() {
            // The order of the contestants changes.
            let contestant = &mut all[(turn + round) % names.len()];
            contestant.seen.push(match contestant.name {
                "PostgreSQL" => runtime.block_on(async {
                    let test = TestDatabase::on(&postgres).await;
                    let seen = ours(test.open().await, true).await;
                    postgres.drop_database(test.options.database.as_deref().unwrap_or_default()).await;
                    seen
                })?,
                "SQLite" => runtime.block_on(async {
                    let test = TestDatabase::sqlite();
                    ours(test.open().await, false).await
                })?,
                peer @ ("BullMQ" | FLUSHING) => {
                    let redis = if peer == FLUSHING { &flushing } else { &redis };
                    ensure!(redis.ask("FLUSHALL").is_some_and(|it| it.starts_with("+OK")), "Redis refused");
                    theirs(&folder.join("queue/bullmq.js"), &redis.port().to_string())?
                }
                peer => {
                    let name = runtime.block_on(postgres.create_database());
                    let (server, _) =
                        postgres.url().rsplit_once('/').context("an address without a database")?;
                    let place = format!("{server}/{name}");
                    let program = peer.to_lowercase().replace(' ', "-");
                    let seen = theirs(&folder.join(format!("queue/{program}.js")), &place);
                    runtime.block_on(postgres.drop_database(&name));
                    seen?
                }
            });
        }
    }
    tell(&all, report);
    let bare = runtime.block_on(bare_inserts(postgres.url()))?;
    report.figure(
        "a bare insert after the same pause, PostgreSQL: p50",
        crate::percentile(bare, 50),
        "ms",
        None,
    );
    Ok(())
}

fn tell([postgres, sqlite, peers @ ..]: &[Contestant; 6], report: &mut Report) {
    let best: Vec<f64> = (0..postgres.seen.len())
        .map(|round| peers.iter().map(|peer| peer.seen[round].completed).fold(0.0, f64::max))
        .collect();
    let completed = postgres.figures(|seen| seen.completed);
    report.compare(
        "empty jobs completed, ours on PostgreSQL / the best of them",
        &completed,
        &best,
        "jobs/s",
        Some(1.0),
    );
    for (what, figure) in [
        ("empty jobs completed", (|seen: &Seen| seen.completed) as fn(&Seen) -> f64),
        ("jobs added 500 at a time", |seen| seen.bulk),
        ("jobs added each by itself, 16 callers", |seen| seen.single),
    ] {
        for ours in [postgres, sqlite] {
            for peer in peers {
                let text = format!("{what}: ours on {} / {}", ours.name, peer.name);
                let (ours, theirs) = (ours.figures(figure), peer.figures(figure));
                report.compare(crate::name(text), &ours, &theirs, "jobs/s", None);
            }
        }
    }
    begins(postgres, sqlite, peers, report);
}

/// Which of the times of a run.
type Latencies = fn(&Seen) -> &Vec<f64>;

/// Each contestant adds and works in one process; then how much ours gains from that. A contestant that does not flush has no
/// flush to wait for, so the duration of a call is only compared between contestants that flush.
fn begins(postgres: &Contestant, sqlite: &Contestant, peers: &[Contestant], report: &mut Report) {
    let soonest = |latencies: Latencies, peers: &[Contestant]| {
        peers.iter().map(|peer| peer.percentile(latencies, 50)).fold(f64::INFINITY, f64::min)
    };
    let (from_call, from_return): (Latencies, Latencies) = (|seen| &seen.latencies, |seen| &seen.waits);
    let durable = &peers[..peers.len() - 1];
    for (what, latencies, most) in [
        ("a job begins after it is stored", from_return, soonest(from_return, peers)),
        ("a job begins after the call that adds it", from_call, soonest(from_call, durable)),
    ] {
        for contestant in [postgres, sqlite].into_iter().chain(peers) {
            for percent in [50, 99] {
                let text = format!("{what}, {}: p{percent}", contestant.name);
                let most = (contestant.name == "PostgreSQL" && percent == 50)
                    .then_some((most * 100.0).round() / 100.0);
                report.figure(crate::name(text), contestant.percentile(latencies, percent), "ms", most);
            }
        }
    }
    let elsewhere = postgres.percentile(|seen| &seen.elsewhere, 50);
    report.figure("the same when the worker is another process, PostgreSQL: p50", elsewhere, "ms", None);
}

fn call() -> Call {
    Call::internal("peers", Duration::from_secs(60))
}

fn open(database: &Database) -> Result<Queue> {
    let parts = QueueParts { database: database.clone(), clock: Clock::system(), metrics: Metrics::new() };
    Ok(Queue::new(parts, QueueOptions { concurrency: AT_ONCE, ..QueueOptions::default() })?)
}

async fn ours(database: Database, server: bool) -> Result<Seen> {
    database.migrate(&[MIGRATIONS]).await?;
    let queue = open(&database)?;
    let single = singly(&queue).await?;
    let begun = Instant::now();
    for first in (0..BULK).step_by(BATCH) {
        let jobs = (first..first + BATCH).map(|number| Job::new("empty", json!({"number": number})));
        let mut tx = database.transaction(&call()).await?;
        queue.enqueue_many(&mut tx, jobs.collect()).await?;
        tx.commit().await?;
    }
    let bulk = crate::count(BULK) / begun.elapsed().as_secs_f64();
    let completed = completed(&queue).await?;
    let (here, waits) = latencies(&queue, &queue).await?;
    // A file wakes no other process.
    let elsewhere = if server { latencies(&queue, &open(&database)?).await?.0 } else { Vec::new() };
    database.close().await;
    Ok(Seen { single, bulk, completed, latencies: here, waits, elsewhere })
}

async fn singly(queue: &Queue) -> Result<f64> {
    let begun = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let queue = queue.clone();
        pando_telemetry::spawn("peers.caller", async move {
            for number in 0..SINGLE / CALLERS {
                let mut tx = queue.database().transaction(&call()).await?;
                queue.enqueue(&mut tx, Job::new("empty", json!({"number": number}))).await?;
                tx.commit().await?;
            }
            anyhow::Ok(())
        })
    });
    for caller in try_join_all(callers.collect::<Vec<_>>()).await? {
        caller?;
    }
    Ok(crate::count(SINGLE) / begun.elapsed().as_secs_f64())
}

/// From the first job's start until no job is unfinished.
async fn completed(queue: &Queue) -> Result<f64> {
    let (ran, total) = (AtomicUsize::new(0), SINGLE + BULK);
    let (began, mut beginning) = mpsc::unbounded_channel();
    let (last, mut all) = mpsc::unbounded_channel();
    let mut registry = Registry::default();
    registry.add(JobKind::new("empty", move |_, _| {
        let number = ran.fetch_add(1, Ordering::Relaxed) + 1;
        if number == 1 {
            let _ = began.send(Instant::now());
        }
        if number == total {
            let _ = last.send(());
        }
        async { Ok(Value::Null) }
    }))?;
    let worker = Worker::start(queue, registry);
    let begun = beginning.recv().await.context("no job began")?;
    all.recv().await.context("not every job ran")?;
    // The results of all runs are stored before the stop returns.
    worker.stop(Duration::from_secs(10)).await;
    Ok(crate::count(total) / begun.elapsed().as_secs_f64())
}

/// From the call that adds a job to its start, and from its return, when nothing else goes on. A worker on a queue of its
/// own is woken over the server, as another process would be.
async fn latencies(queue: &Queue, workers: &Queue) -> Result<(Vec<f64>, Vec<f64>)> {
    let waiting: Arc<std::sync::Mutex<Option<oneshot::Sender<Instant>>>> = Arc::default();
    let told = Arc::clone(&waiting);
    let mut registry = Registry::default();
    registry.add(JobKind::new("probe", move |_, _| {
        if let Some(told) = told.lock().ok().and_then(|mut told| told.take()) {
            let _ = told.send(Instant::now());
        }
        async { Ok(Value::Null) }
    }))?;
    let worker = Worker::start(workers, registry);
    let (mut figures, mut waits) = (Vec::with_capacity(PROBES), Vec::with_capacity(PROBES));
    for probe in 0..WARM_UP + PROBES {
        tokio::time::sleep(PAUSE).await;
        let (tell, started) = oneshot::channel();
        if let Ok(mut waiting) = waiting.lock() {
            *waiting = Some(tell);
        }
        let begun = Instant::now();
        let mut tx = queue.database().transaction(&call()).await?;
        queue.enqueue(&mut tx, Job::new("probe", json!({"number": probe}))).await?;
        tx.commit().await?;
        let stored = Instant::now();
        let started = started.await?;
        if probe >= WARM_UP {
            figures.push(started.saturating_duration_since(begun).as_secs_f64() * 1e3);
            waits.push(started.saturating_duration_since(stored).as_secs_f64() * 1e3);
        }
    }
    worker.stop(Duration::from_secs(1)).await;
    Ok((figures, waits))
}

/// The limit for any queue that keeps a job on the disk: one committed insert by the bare driver.
async fn bare_inserts(url: &str) -> Result<Vec<f64>> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let driving = pando_telemetry::spawn("peers.connection", connection);
    client.batch_execute("create table probes (number bigint)").await?;
    let insert = client.prepare("insert into probes values ($1)").await?;
    let mut figures = Vec::with_capacity(PROBES);
    for probe in 0..i64::try_from(PROBES)? {
        tokio::time::sleep(PAUSE).await;
        let begun = Instant::now();
        client.execute(&insert, &[&probe]).await?;
        figures.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    drop(client);
    driving.await??;
    Ok(figures)
}

fn theirs(program: &Path, place: &str) -> Result<Seen> {
    // One that hangs shall say so.
    let mut command = Command::new("timeout");
    command.args(["300", "node"]).arg(program).arg(place);
    command.args([SINGLE, BULK, AT_ONCE, PROBES].map(|it| it.to_string()));
    let answer = command.output().context("node cannot be run: install Node.js 20 or newer")?;
    let (name, said) = (program.display(), String::from_utf8_lossy(&answer.stderr));
    ensure!(answer.status.success(), "{name} failed: {said}");
    serde_json::from_slice(&answer.stdout).with_context(|| format!("{name} said: {said}"))
}
