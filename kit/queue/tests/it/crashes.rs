//! Worker processes that are killed at random moments, over a stream of jobs that write to a table.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use pando_clock::Clock;
use pando_database::testing::TestDatabase;
use pando_database::{Database, DatabaseOptions, Migration, MigrationSet, Query, Secret, params};
use pando_queue::{
    Job, JobContext, JobKind, JobResult, MIGRATIONS, Queue, QueueOptions, QueueParts, Registry, Worker,
};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use serde_json::{Value, json};
use uuid::Uuid;

/// Tells a process of this test binary that it is the one to be killed, and on which database it works.
const DOOMED: &str = "PANDO_QUEUE_TEST_DOOMED";
/// How many processes are killed: enough to see a mistake that is easily made, and enough to trust it.
const ROUNDS: (usize, usize) = (8, 1_000);
/// How many jobs are added before each.
const JOBS: usize = 40;

const EFFECTS: MigrationSet = MigrationSet {
    service: "crashes",
    migrations: &[Migration {
        version: 1,
        name: "effects",
        sql: "create table crash_effects (id uuid primary key, job_id uuid not null)",
    }],
};
const WRITE: Query = Query::write("crash.write", "insert into crash_effects (id, job_id) values ($1, $2)");
const COUNT: Query = Query::scan("crash.count", "select count(*), count(distinct job_id) from crash_effects");
const UNFINISHED: Query =
    Query::scan("crash.unfinished", "select count(*) from queue_jobs where state <> 'completed'");

fn call() -> Call {
    Call::internal("crashes", Duration::from_secs(30))
}

fn queue(database: &Database) -> Queue {
    let options = QueueOptions {
        heartbeat_ms: 50,
        lease_ms: 250,
        rescue_ms: 50,
        poll_ms: 50,
        ..QueueOptions::default()
    };
    let parts = QueueParts { database: database.clone(), clock: Clock::system(), metrics: Metrics::new() };
    Queue::new(parts, options).unwrap()
}

async fn write(context: JobContext, _: Value) -> JobResult {
    let mut tx = context.database().transaction(context.call()).await?;
    tx.execute(&WRITE, params![context.clock().fresh_id(), context.id()]).await?;
    context.complete(&mut tx, json!("written")).await?;
    tx.commit().await?;
    Ok(Value::Null)
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add(JobKind::new("write", write)).unwrap();
    registry
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how a test run is set up")]
    std::env::var(name).ok()
}

/// The process that is killed, when the tests below start it; by itself it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_works_until_it_is_killed() {
    let Some(place) = variable(DOOMED) else { return };
    let mut options = DatabaseOptions::default();
    match place.split_once('|') {
        Some((url, database)) => {
            (options.url, options.database) = (Some(Secret::new(url)), Some(database.to_owned()));
        }
        None => options.sqlite.path = PathBuf::from(place),
    }
    let database = Database::open(&options, &Metrics::new(), &Clock::system()).await.unwrap();
    let worker = Worker::start(&queue(&database), registry());
    // Its parent kills it long before; should that be gone, this one goes too.
    tokio::time::sleep(Duration::from_secs(20)).await;
    worker.stop(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_effect_happens_once_however_often_workers_are_killed_on_sqlite() {
    let test = TestDatabase::sqlite();
    let place = test.options.sqlite.path.display().to_string();
    survive(&test.open().await, &place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_effect_happens_once_however_often_workers_are_killed_on_postgresql() {
    let test = TestDatabase::postgres().await;
    let url = test.options.url.as_ref().unwrap().expose();
    let place = format!("{url}|{}", test.options.database.as_deref().unwrap());
    survive(&test.open().await, &place).await;
}

async fn survive(database: &Database, place: &str) {
    database.migrate(&[MIGRATIONS, EFFECTS]).await.unwrap();
    let queue = queue(database);
    let rounds = if variable("PANDO_PROVE").is_some() { ROUNDS.1 } else { ROUNDS.0 };
    let mut ids: Vec<Uuid> = Vec::new();
    for _ in 0..rounds {
        let mut tx = database.transaction(&call()).await.unwrap();
        let jobs = (0..JOBS).map(|_| Job::new("write", Value::Null)).collect();
        ids.extend(queue.enqueue_many(&mut tx, jobs).await.unwrap());
        tx.commit().await.unwrap();
        let mut doomed = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::a_worker_works_until_it_is_killed", "--nocapture"])
            .env(DOOMED, place)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment = u64::from(Clock::system().fresh_id().as_bytes()[15]);
        // A random moment of its life, from before its first claim to after its last.
        tokio::time::sleep(Duration::from_millis(20 + moment)).await;
        doomed.kill().unwrap();
        doomed.wait().unwrap();
    }
    let worker = Worker::start(&queue, registry());
    let unfinished = async || -> i64 {
        let call = call();
        let row = database.read_primary(&call).row(&UNFINISHED, []).await.unwrap();
        row.unwrap().get(0).unwrap()
    };
    let finishing = async {
        while unfinished().await > 0 {
            // Nobody tells when all are done: a look now and then.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), finishing)
        .await
        .expect("no job is lost, and none is stuck");
    worker.stop(Duration::from_secs(5)).await;
    let call = call();
    let row = database.read_primary(&call).row(&COUNT, []).await.unwrap().unwrap();
    let jobs = i64::try_from(ids.len()).unwrap();
    let counts: (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
    assert_eq!(counts, (jobs, jobs), "once for each job");
}
