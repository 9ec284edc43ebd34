//! The jobs, what they write, and what must be there when all is over.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pando_database::testing::TestDatabase;
use pando_database::{Database, Migration, MigrationSet, Query, Row, params};
use pando_queue::{Job, JobContext, JobKind, JobResult, MIGRATIONS, Queue, Registry, Settings};
use pando_resilience::Call;
use serde_json::{Value, json};
use uuid::Uuid;

use super::processes::Place;

/// How many effects a job has that goes on where the attempt before had come to.
const STEPS: i64 = 3;
/// The rescue time: no lease is overdue for longer, and no job is unfinished for longer once nobody is killed.
const RESCUE_TIME: Duration = Duration::from_secs(30);

const TABLES: MigrationSet = MigrationSet {
    service: "crashes",
    migrations: &[Migration {
        version: 1,
        name: "effects",
        // Nothing here forbids a second effect: it would be seen.
        sql: "create table crash_orders (id uuid primary key);
            create table crash_effects (id uuid primary key, job_id uuid not null, step bigint not null)",
    }],
};
const ORDER: Query = Query::write("crash.order", "insert into crash_orders (id) values ($1)");
const WRITE: Query =
    Query::write("crash.write", "insert into crash_effects (id, job_id, step) values ($1, $2, $3)");
const ORDERS: Query = Query::scan("crash.orders", "select id from crash_orders");
const JOBS: Query = Query::scan("crash.jobs", "select id, kind, state from queue_jobs");
const EFFECTS: Query = Query::scan("crash.effects", "select job_id, step from crash_effects");
const UNFINISHED: Query =
    Query::scan("crash.unfinished", "select count(*) from queue_jobs where ended_at is null");
const OVERDUE: Query = Query::scan(
    "crash.overdue",
    "select count(*) from queue_jobs where state = 'running' and lease_until < $1",
);

fn call() -> Call {
    Call::internal("crashes", Duration::from_secs(10))
}

/// Everything the jobs do.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add(JobKind::new("write", write)).unwrap();
    registry.add(JobKind::new("steps", steps)).unwrap();
    registry
}

/// Its effect, and its end with it.
async fn write(context: JobContext, _: Value) -> JobResult {
    let mut tx = context.database().transaction(context.call()).await?;
    tx.execute(&WRITE, params![context.clock().fresh_id(), context.id(), 0_i64]).await?;
    context.complete(&mut tx, json!("written")).await?;
    tx.commit().await?;
    Ok(Value::Null)
}

/// Some effects, each with how far it has come; it ends by itself.
async fn steps(context: JobContext, _: Value) -> JobResult {
    for step in context.cursor().unwrap_or(0)..STEPS {
        let mut tx = context.database().transaction(context.call()).await?;
        tx.execute(&WRITE, params![context.clock().fresh_id(), context.id(), step]).await?;
        context.save(&mut tx, json!(step + 1), None).await?;
        tx.commit().await?;
    }
    Ok(Value::Null)
}

/// One transaction of the server: some jobs, each with a row that belongs to it.
pub(super) async fn enqueue_some(
    queue: &Queue,
    journal: &mut File,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut tx = queue.database().transaction(&call()).await?;
    // An attempt that the database was taken away from is repeated soon.
    let job = |kind: &str| Job {
        settings: Settings { pauses_ms: Some(vec![50]), ..Settings::default() },
        ..Job::new(kind, Value::Null)
    };
    let soon = queue.clock().now().plus_micros(100_000);
    let delayed = Job { run_at: Some(soon), ..job("write") };
    let mut ids = queue.enqueue_many(&mut tx, vec![job("write"), job("write"), delayed]).await?;
    ids.push(queue.enqueue(&mut tx, job("steps")).await?.id);
    for id in &ids {
        tx.execute(&ORDER, params![*id]).await?;
    }
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    let ids = ids.join(" ");
    journal.write_all(format!("asked {ids}\n").as_bytes())?;
    tx.commit().await?;
    journal.write_all(format!("kept {ids}\n").as_bytes())?;
    Ok(())
}

/// The stream as the test sees it.
pub(super) struct Stream {
    database: Database,
    journal: PathBuf,
    test: TestDatabase,
}

impl Stream {
    pub(super) async fn open(test: TestDatabase, place: &Place) -> Self {
        let database = test.open().await;
        database.migrate(&[MIGRATIONS, TABLES]).await.unwrap();
        Self { database, journal: place.journal.clone(), test }
    }

    /// No job of a dead worker waits for its rescue for longer than it may.
    pub(super) async fn nothing_is_overdue(&self) {
        let micros = i64::try_from(RESCUE_TIME.as_micros()).unwrap();
        let before = self.test.clock.now().plus_micros(-micros);
        let overdue: i64 = self.rows(&OVERDUE, &params![before]).await[0].get(0).unwrap();
        assert_eq!(overdue, 0, "jobs of dead workers wait for longer than {RESCUE_TIME:?}");
    }

    /// Waits until everything is finished, and compares what is there with what was promised.
    pub(super) async fn every_effect_happened_once(self) -> String {
        let took = self.finishes().await;
        let (asked, kept) = journal(&self.journal);
        let orders: HashSet<Uuid> =
            self.rows(&ORDERS, &[]).await.iter().map(|row| row.get(0).unwrap()).collect();
        let mut effects: HashMap<(Uuid, i64), usize> = HashMap::new();
        for row in self.rows(&EFFECTS, &[]).await {
            *effects.entry((row.get(0).unwrap(), row.get(1).unwrap())).or_default() += 1;
        }
        let jobs = self.rows(&JOBS, &[]).await;
        let (mut found, mut expected) = (HashSet::new(), 0);
        for job in &jobs {
            let (id, kind, state): (Uuid, String, String) =
                (job.get(0).unwrap(), job.get(1).unwrap(), job.get(2).unwrap());
            assert_eq!(state, "completed", "{id}");
            for step in 0..if kind == "steps" { STEPS } else { 1 } {
                assert_eq!(effects.get(&(id, step)), Some(&1), "step {step} of {kind} {id} happens once");
                expected += 1;
            }
            found.insert(id);
        }
        assert_eq!(effects.len(), expected, "no effect without a job");
        assert_eq!(found, orders, "a job is there if and only if its transaction was committed");
        assert!(kept.is_subset(&found), "what was promised is there");
        assert!(found.is_subset(&asked), "what is there was asked for");
        let unknown = asked.len() - kept.len();
        let resolved = found.difference(&kept).count();
        assert!(!kept.is_empty(), "something was enqueued at all");
        std::fs::remove_file(&self.journal).unwrap();
        format!(
            "{} jobs promised, of {unknown} with an unknown commit {resolved} are there; {} jobs, {expected} effects, \
             each once; the last ended {took:?} after the last kill",
            kept.len(),
            found.len(),
        )
    }

    async fn finishes(&self) -> Duration {
        let began = Instant::now();
        let finishing = async {
            while self.rows(&UNFINISHED, &[]).await[0].get::<i64>(0).unwrap() > 0 {
                // Nobody tells when all are done: a look now and then.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(2 * RESCUE_TIME, finishing).await.expect("no job is lost, and none is stuck");
        began.elapsed()
    }

    /// Asks until the database answers: it may have been killed a moment ago.
    async fn rows(&self, query: &Query, values: &[pando_database::Value]) -> Vec<Row> {
        let asking = async {
            loop {
                let call = call();
                match self.database.read_primary(&call).rows(query, values).await {
                    Ok(rows) => return rows,
                    // Given a moment to be found again.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(2 * RESCUE_TIME, asking).await.expect("the database comes back")
    }
}

/// What was asked for, and what of it was promised.
fn journal(path: &PathBuf) -> (HashSet<Uuid>, HashSet<Uuid>) {
    let (mut asked, mut kept) = (HashSet::new(), HashSet::new());
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let (side, ids) = line.split_once(' ').unwrap_or_default();
        let side = match side {
            "asked" => &mut asked,
            "kept" => &mut kept,
            // One that its process did not finish: whatever it was about to say, it did not.
            _ => continue,
        };
        side.extend(ids.split(' ').filter_map(|id| id.parse::<Uuid>().ok()));
    }
    (asked, kept)
}
