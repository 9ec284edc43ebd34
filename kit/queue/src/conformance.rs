//! The promises of the queue on every engine, as one test suite. An engine is finished when it passes.

#![expect(clippy::unwrap_used, reason = "a suite that cannot go on has failed")]

mod delivery;
mod endings;
mod events;
mod faults;
mod lanes;
mod order;
mod readers;
mod tenants;
mod timing;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pando_clock::Clock;
use pando_database::{Database, Migration, MigrationSet, Query, params};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use serde_json::Value;
use tokio::join;
use uuid::Uuid;

use crate::{
    Job, JobContext, JobKind, JobRecord, JobResult, JobState, MIGRATIONS, Queue, QueueOptions, QueueParts,
    Registry,
};

/// The table that jobs of the suite write to.
const EFFECTS: MigrationSet = MigrationSet {
    service: "queue_conformance",
    migrations: &[Migration {
        version: 1,
        name: "effects",
        sql: "create table effects (id uuid primary key, job_id uuid not null, step bigint not null)",
    }],
};

const WRITE: Query =
    Query::write("effects.write", "insert into effects (id, job_id, step) values ($1, $2, $3)");
const COUNT: Query = Query::scan("effects.count", "select count(*), count(distinct job_id) from effects");

/// How long anything may take before the suite says that it never happens.
const PATIENCE: Duration = Duration::from_secs(30);

/// The options of the suite.
pub(crate) fn defaults() -> QueueOptions {
    QueueOptions::default()
}

/// Runs the whole suite; each part on an empty queue of its own, which `fresh` makes. The parts run side by side, because each
/// of them mostly waits.
///
/// # Panics
/// Where a promise is broken.
pub async fn exercise(fresh: impl AsyncFn() -> Database) {
    join!(
        Box::pin(delivery::exercise(&fresh)),
        Box::pin(endings::exercise(&fresh)),
        Box::pin(order::exercise(&fresh)),
        Box::pin(lanes::exercise(&fresh)),
        Box::pin(events::exercise(&fresh)),
        Box::pin(timing::exercise(&fresh)),
        Box::pin(faults::exercise(&fresh)),
        Box::pin(tenants::exercise(&fresh)),
    );
}

/// A queue on an empty database, its clock the machine's or scripted.
pub(crate) struct House {
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    pub(crate) seen: Seen,
}

/// The payloads that the handlers of the suite saw, in order.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Value>>>);

impl Seen {
    pub(crate) fn push(&self, value: Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

pub(crate) fn call() -> Call {
    Call::internal("conformance", PATIENCE)
}

impl House {
    pub(crate) async fn new(database: Database, clock: Clock, options: QueueOptions) -> Self {
        database.migrate(&[MIGRATIONS, EFFECTS]).await.expect("the tables are made");
        Self { queue: open(&database, &clock, options), clock, seen: Seen::default() }
    }

    pub(crate) async fn scripted(database: Database, options: QueueOptions) -> Self {
        let start = "2026-01-01T00:00:00Z".parse().expect("a moment");
        Self::new(database, Clock::scripted(start), options).await
    }

    /// Enqueues in a transaction of its own.
    pub(crate) async fn add(&self, job: Job) -> Uuid {
        let mut tx = self.queue.database().transaction(&call()).await.expect("a transaction");
        let enqueued = self.queue.enqueue(&mut tx, job).await.expect("it is enqueued");
        tx.commit().await.expect("it is committed");
        enqueued.id
    }

    pub(crate) async fn find(&self, id: Uuid) -> JobRecord {
        self.queue.find(&call(), id).await.expect("it is read").expect("it is there")
    }

    /// Waits until the job is in this state.
    pub(crate) async fn reaches(&self, id: Uuid, state: JobState) -> JobRecord {
        let mut changes = self.queue.watch();
        let arriving = async {
            loop {
                let job = self.find(id).await;
                if job.state == state {
                    return job;
                }
                // A change of another process is not told: look again soon.
                let _ = tokio::time::timeout(Duration::from_millis(20), changes.recv()).await;
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, arriving).await;
        match arrived {
            Ok(job) => job,
            Err(_) => panic!("the job never becomes {state}: {:?}", self.find(id).await),
        }
    }

    /// A registry with one kind.
    pub(crate) fn kind<F>(
        &self,
        name: &str,
        handler: impl Fn(JobContext, Value, Seen) -> F + Send + Sync + 'static,
    ) -> Registry
    where
        F: Future<Output = JobResult> + Send + 'static,
    {
        let mut registry = Registry::default();
        self.add_kind(&mut registry, name, handler);
        registry
    }

    pub(crate) fn add_kind<F>(
        &self,
        registry: &mut Registry,
        name: &str,
        handler: impl Fn(JobContext, Value, Seen) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = JobResult> + Send + 'static,
    {
        let seen = self.seen.clone();
        let kind = JobKind::new(name, move |context, payload| handler(context, payload, seen.clone()));
        registry.add(kind).expect("a good kind");
    }

    /// How many effects there are, and of how many jobs.
    pub(crate) async fn effects(&self) -> (i64, i64) {
        let call = call();
        let read = self.queue.database().read_primary(&call);
        let row = read.row(&COUNT, []).await.expect("counted").expect("a row");
        (row.get(0).expect("a count"), row.get(1).expect("a count"))
    }
}

/// Another process, as it were: a queue of its own on the same database.
pub(crate) fn open(database: &Database, clock: &Clock, options: QueueOptions) -> Queue {
    let parts = QueueParts { database: database.clone(), clock: clock.clone(), metrics: Metrics::new() };
    Queue::new(parts, options).expect("good options")
}

/// A handler that only says that it ran.
pub(crate) async fn note(_: JobContext, payload: Value, seen: Seen) -> JobResult {
    seen.push(payload);
    Ok(Value::Null)
}

/// A handler whose effect happens with its completion.
pub(crate) async fn write(context: JobContext, payload: Value, seen: Seen) -> JobResult {
    let mut tx = context.database().transaction(context.call()).await?;
    let values = params![context.clock().fresh_id(), context.id(), context.attempt()];
    tx.execute(&WRITE, values).await?;
    context.complete(&mut tx, Value::Null).await?;
    tx.commit().await?;
    seen.push(payload);
    Ok(Value::Null)
}
