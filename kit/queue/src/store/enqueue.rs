//! The statements that insert jobs.

use std::io;

use pando_clock::Timestamp;
use pando_database::{
    BulkInsert, ColumnType, DatabaseError, OnConflict, Query, Read, Row, Transaction, Value, params,
};
use pando_resilience::Tenant;
use uuid::Uuid;

use crate::admission::Amount;
use crate::job::{JobState, Settings, Unique};
use crate::{Enqueued, Job};

/// In a lane, whose row is locked until the transaction ends, only the first job is claimable.
static INSERT: Query = Query::write(
    "queue.enqueue",
    "insert into queue_jobs (id, queue, kind, payload, priority, state, run_at, created_at, attempts, \
     attempts_max, cancel_requested, rate_granted, unique_key, unique_scope, unique_until, lane, lane_number, \
     tenant, rate_key, batch_id, settings, sequel, size) \
     values ($1, $2, $3, $4, $5, case when cast($13 as text) is not null and exists (select 1 from queue_jobs as earlier \
     where earlier.queue = $2 and earlier.lane = $13 and earlier.lane is not null and earlier.ended_at is null) \
     then 'behind' else $6 end, \
     $7, $8, 0, $9, false, false, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
     on conflict (unique_key) where unique_key is not null do nothing returning id",
);

/// Many jobs without keys at once.
static INSERT_MANY: BulkInsert = BulkInsert {
    name: "queue.enqueue_many",
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
        ("attempts", ColumnType::Integer),
        ("attempts_max", ColumnType::Integer),
        ("cancel_requested", ColumnType::Boolean),
        ("rate_granted", ColumnType::Boolean),
        ("tenant", ColumnType::Text),
        ("rate_key", ColumnType::Text),
        ("batch_id", ColumnType::Uuid),
        ("settings", ColumnType::Json),
        ("sequel", ColumnType::Json),
        ("size", ColumnType::Integer),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

static HOLDER: Query = Query::write(
    "queue.unique_holder",
    "select id, state, created_at, run_at, unique_until from queue_jobs where unique_key = $1 for update",
);

static RELEASE: Query =
    Query::write("queue.unique_release", "update queue_jobs set unique_key = null where id = $1");

static NEXT_IN_LANE: Query = Query::write(
    "queue.next_in_lane",
    "insert into queue_lanes (queue, lane, last_number, used_at) values ($1, $2, 1, $3) \
     on conflict (queue, lane) do update set last_number = queue_lanes.last_number + 1, used_at = $3 \
     returning last_number",
);

/// Each part is counted in an index that holds nothing else, so ended jobs are never read.
pub(super) static WAITING: Query = Query::scan(
    "queue.waiting",
    "select count(*), cast(coalesce(sum(size), 0) as bigint) from (\
     select size from (select size from queue_jobs where queue = $1 and state = 'pending' limit $2) as pending \
     union all \
     select size from (select size from queue_jobs where queue = $1 and state = 'scheduled' limit $2) as scheduled \
     union all \
     select size from (select size from queue_jobs where queue = $1 and state = 'behind' limit $2) as behind\
     ) as waiting",
);

/// How many jobs wait in a queue, of each kind of waiting one more than `most` at most, and how many bytes they have.
pub(crate) async fn waiting(read: &Read<'_>, queue: &str, most: u64) -> Result<Amount, DatabaseError> {
    let most = i64::try_from(most.saturating_add(1)).unwrap_or(i64::MAX);
    let Some(row) = read.row(&WAITING, params![queue, most]).await? else { return Ok(Amount::default()) };
    Ok(Amount { jobs: row.get::<i64>(0)?.unsigned_abs(), bytes: row.get::<i64>(1)?.unsigned_abs() })
}

/// How many bytes a job takes, roughly: its payload and what follows it.
pub(crate) fn size(job: &Job) -> u64 {
    let mut count = Count(0);
    // Counting cannot fail.
    let _ = serde_json::to_writer(&mut count, &job.payload);
    count.0 + job.then.iter().map(size).sum::<u64>()
}

/// Counts what is written to it.
struct Count(u64);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stored_size(job: &Job) -> i32 {
    i32::try_from(size(job)).unwrap_or(i32::MAX)
}

/// Adds a job; nothing when another holds its unique key. One without such a key is written with whatever the
/// transaction does next.
pub(crate) async fn insert(
    tx: &mut Transaction,
    id: Uuid,
    job: &Job,
    run_at: Timestamp,
    now: Timestamp,
    lane_number: Option<i64>,
) -> Result<Option<Uuid>, DatabaseError> {
    let unique = job.unique.as_ref();
    let until = unique.and_then(|unique| match unique {
        Unique::Within(_, window) => {
            Some(now.plus_micros(i64::try_from(window.as_micros()).unwrap_or(i64::MAX)))
        }
        _ => None,
    });
    let values = params![
        id,
        job.queue.as_str(),
        job.kind.as_str(),
        job.payload.clone(),
        i32::from(job.priority),
        state(run_at, now).as_str(),
        run_at,
        now,
        i32::from(job.attempts_max),
        unique.map(|unique| stored_key(job, unique)),
        unique.map(Unique::scope),
        until,
        job.lane.as_deref(),
        lane_number,
        owner(&job.tenant),
        job.rate_key.as_deref(),
        job.batch,
        settings(&job.settings),
        sequel(job),
        stored_size(job),
    ];
    if unique.is_none() {
        tx.execute_later(&INSERT, values);
        return Ok(Some(id));
    }
    tx.row(&INSERT, values).await?.map(|row| row.get(0)).transpose()
}

/// Adds many jobs that have neither unique keys nor lanes.
pub(crate) async fn insert_many(
    tx: &mut Transaction,
    jobs: &[(Uuid, Job, Timestamp)],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let row = |(id, job, run_at): &(Uuid, Job, Timestamp)| {
        let values = params![
            *id,
            job.queue.as_str(),
            job.kind.as_str(),
            job.payload.clone(),
            i32::from(job.priority),
            state(*run_at, now).as_str(),
            *run_at,
            now,
            0_i64,
            i32::from(job.attempts_max),
            false,
            false,
            owner(&job.tenant),
            job.rate_key.as_deref(),
            job.batch,
            settings(&job.settings),
            sequel(job),
            stored_size(job),
        ];
        Vec::from(values)
    };
    tx.bulk_insert(&INSERT_MANY, jobs.iter().map(row).collect()).await.map(drop)
}

/// The job that holds a unique key, and until when at least.
pub(crate) async fn holder(
    tx: &mut Transaction,
    job: &Job,
    unique: &Unique,
) -> Result<Option<(Enqueued, Option<Timestamp>)>, DatabaseError> {
    let row = tx.row(&HOLDER, params![stored_key(job, unique)]).await?;
    let holder = |row: Row| {
        let holder = Enqueued {
            id: row.get(0)?,
            fresh: false,
            state: JobState::parse(row.get::<String>(1)?.as_str()).unwrap_or(JobState::Pending),
            created_at: row.get(2)?,
            run_at: row.get(3)?,
        };
        Ok((holder, row.get(4)?))
    };
    row.map(holder).transpose()
}

/// Takes a unique key from a job whose time with it is over.
pub(crate) async fn release(tx: &mut Transaction, id: Uuid) -> Result<(), DatabaseError> {
    tx.execute(&RELEASE, params![id]).await.map(drop)
}

/// The next number of a lane. Its row stays locked until the transaction ends.
pub(crate) async fn next_in_lane(
    tx: &mut Transaction,
    queue: &str,
    lane: &str,
    now: Timestamp,
) -> Result<i64, DatabaseError> {
    let row = tx.row(&NEXT_IN_LANE, params![queue, lane, now]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

pub(crate) fn state(run_at: Timestamp, now: Timestamp) -> JobState {
    if run_at > now { JobState::Scheduled } else { JobState::Pending }
}

/// Keys of different kinds do not meet.
fn stored_key(job: &Job, unique: &Unique) -> String {
    format!("{}:{}", job.kind, unique.key())
}

/// The default tenant is not written: a fair queue gives it no turns.
fn owner(tenant: &Tenant) -> Option<&str> {
    (!tenant.is_default()).then_some(tenant.as_str())
}

fn settings(settings: &Settings) -> Option<Value> {
    (*settings != Settings::default()).then(|| Value::json(settings).ok()).flatten()
}

fn sequel(job: &Job) -> Option<Value> {
    (!job.then.is_empty()).then(|| Value::json(&job.then).ok()).flatten()
}
