//! Statements of the upkeep: leases, rescue, retention, counting.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Transaction, params};
use uuid::Uuid;

use super::settle::{Ended, ended_from};
use crate::JobState;
use crate::verdict::fingerprint;

/// The error of a job whose worker went silent.
const LOST: &str = "the worker that ran it went silent";

/// Rows that somebody has locked are being settled, or are fenced by their own attempt: not waited for.
static RENEW: Query = Query::write(
    "queue.renew",
    "with mine as materialized (select id from queue_jobs where id = any($1) and lease = any($2) \
     and state = 'running' for update skip locked) \
     update queue_jobs set lease_until = $3 where id in (select id from mine)",
);

static LEASES: Query = Query::write(
    "queue.leases",
    "select id, lease, cancel_requested from queue_jobs where id = any($1) and state = 'running'",
);

static RESCUE: Query = Query::write(
    "queue.rescue",
    "with lost as materialized (select id from queue_jobs where state = 'running' and lease_until < $1 \
     limit $2 for update skip locked) \
     update queue_jobs set lease = null, lease_until = null, error = $3, fingerprint = $4, \
     state = case when cancel_requested then 'cancelled' when attempts >= attempts_max then 'dead' \
     else 'pending' end, \
     ended_at = case when cancel_requested or attempts >= attempts_max then cast($1 as timestamptz) \
     else null end, \
     unique_key = case when unique_scope = 'live' and (cancel_requested or attempts >= attempts_max) \
     then null else unique_key end \
     where id in (select id from lost) returning id, state, batch_id, null, null, queue, lane",
);

static SWEEP: Query = Query::write(
    "queue.sweep",
    "delete from queue_jobs where id in (select id from queue_jobs where state = $1 and ended_at < $2 \
     and ended_at is not null and (unique_until is null or unique_key is null or unique_until < $3) \
     order by ended_at limit $4)",
);

static DEAD_COUNTS: Query = Query::write(
    "queue.dead_counts",
    "select queue, count(*) from queue_jobs where state = 'dead' group by queue",
);

static DROP_DEAD: Query = Query::write(
    "queue.drop_dead",
    "delete from queue_jobs where id in (select id from queue_jobs where state = 'dead' and queue = $1 \
     order by ended_at limit $2)",
);

static SWEEP_LANES: Query = Query::write(
    "queue.sweep_lanes",
    "delete from queue_lanes where used_at < $1 and not exists (select 1 from queue_jobs as job \
     where job.queue = queue_lanes.queue and job.lane = queue_lanes.lane and job.lane is not null \
     and job.ended_at is null)",
);

static SWEEP_RATES: Query = Query::write("queue.sweep_rates", "delete from queue_rates where next_at < $1");

static SWEEP_BATCHES: Query =
    Query::write("queue.sweep_batches", "delete from queue_batches where ended_at < $1");

/// Each part is counted in an index that holds nothing else. Jobs behind the head of their lane count as waiting.
pub(super) static COUNTS: Query = Query::scan(
    "queue.counts",
    "select queue, state, cast(sum(jobs) as bigint) from (\
     select queue, 'pending' as state, count(*) as jobs from queue_jobs where state = 'pending' group by queue \
     union all \
     select queue, 'pending', count(*) from queue_jobs where state = 'behind' group by queue \
     union all \
     select queue, 'scheduled', count(*) from queue_jobs where state = 'scheduled' group by queue \
     union all \
     select queue, 'running', count(*) from queue_jobs where state = 'running' group by queue \
     union all \
     select queue, 'dead', count(*) from queue_jobs where state = 'dead' group by queue\
     ) as parts group by queue, state",
);

static OLDEST: Query = Query::scan(
    "queue.oldest",
    "select queue, min(run_at) from queue_jobs where state = 'pending' group by queue",
);

/// Renews leases; how many.
pub(crate) async fn renew(
    tx: &mut Transaction,
    ids: Vec<Uuid>,
    leases: Vec<Uuid>,
    until: Timestamp,
) -> Result<u64, DatabaseError> {
    tx.execute(&RENEW, params![ids, leases, until]).await
}

/// Which lease each of these jobs runs under, and whether it shall be cancelled.
pub(crate) async fn leases(
    tx: &mut Transaction,
    ids: Vec<Uuid>,
) -> Result<Vec<(Uuid, (Uuid, bool))>, DatabaseError> {
    let rows = tx.rows(&LEASES, params![ids]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).collect()
}

/// Takes back jobs whose lease ran out.
pub(crate) async fn rescue(
    tx: &mut Transaction,
    now: Timestamp,
    count: usize,
) -> Result<Vec<Ended>, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = tx.rows(&RESCUE, params![now, count, LOST, fingerprint("", LOST)]).await?;
    rows.iter().map(ended_from).collect()
}

/// Deletes ended jobs; how many.
pub(crate) async fn sweep(
    tx: &mut Transaction,
    state: JobState,
    before: Timestamp,
    now: Timestamp,
    count: usize,
) -> Result<u64, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    tx.execute(&SWEEP, params![state.as_str(), before, now, count]).await
}

/// How many dead jobs each queue has.
pub(crate) async fn dead_counts(tx: &mut Transaction) -> Result<Vec<(String, u64)>, DatabaseError> {
    let rows = tx.rows(&DEAD_COUNTS, []).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get::<i64>(1)?.unsigned_abs()))).collect()
}

/// Deletes the oldest dead jobs of a queue; how many.
pub(crate) async fn drop_dead(tx: &mut Transaction, queue: &str, count: u64) -> Result<u64, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    tx.execute(&DROP_DEAD, params![queue, count]).await
}

/// Deletes what jobs left behind.
pub(crate) async fn sweep_traces(tx: &mut Transaction, before: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(&SWEEP_LANES, params![before]).await?;
    tx.execute(&SWEEP_RATES, params![before]).await?;
    tx.execute(&SWEEP_BATCHES, params![before]).await.map(drop)
}

/// How many jobs each queue has in each state that is watched.
pub(crate) async fn counts(read: &Read<'_>) -> Result<Vec<((String, JobState), u64)>, DatabaseError> {
    let rows = read.rows(&COUNTS, []).await?;
    let count = |row: &pando_database::Row| {
        let state: String = row.get(1)?;
        let state = JobState::parse(&state).unwrap_or(JobState::Running);
        Ok(((row.get(0)?, state), row.get::<i64>(2)?.unsigned_abs()))
    };
    rows.iter().map(count).collect()
}

/// Since when the oldest pending job of each queue has been due.
pub(crate) async fn oldest(read: &Read<'_>) -> Result<Vec<(String, Timestamp)>, DatabaseError> {
    let rows = read.rows(&OLDEST, []).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
