//! The statements of operators.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Row, Transaction, Value, params};
use pando_resilience::Tenant;
use uuid::Uuid;

use super::settle::{Ended, ended_from};
use crate::manage::{DeadGroup, DeadSelection, JobFilter};
use crate::{JobRecord, JobState};

/// The columns of a job, in the order [`record_from`] reads them.
macro_rules! record_columns {
    ($payload:literal, $result:literal) => {
        concat!(
            "id, queue, kind, ",
            $payload,
            ", priority, state, run_at, created_at, started_at, ended_at, attempts, \
             attempts_max, cancel_requested, tenant, lane, batch_id, progress, ",
            $result,
            ", error, fingerprint"
        )
    };
}

static FIND: Query = Query::point(
    "queue.find",
    concat!(
        "select ",
        record_columns!("payload", "result"),
        " from queue_jobs where id = $1 and coalesce(tenant, '') = $2"
    ),
);

static FIND_OF_ANY: Query = Query::point(
    "queue.find_of_any",
    concat!("select ", record_columns!("payload", "result"), " from queue_jobs where id = $1"),
);

static LIST: Query = Query::scan(
    "queue.list",
    concat!(
        "select ",
        record_columns!("cast(null as jsonb)", "cast(null as jsonb)"),
        " from queue_jobs where (cast($1 as text) is null or queue = $1) and \
         (cast($2 as text) is null or kind = $2) and (cast($3 as text) is null or \
         case when state = 'behind' or (state = 'scheduled' and run_at <= $9) then 'pending' \
         else state end = $3) and \
         (cast($4 as text) is null or coalesce(tenant, '') = $4) and id < $5 and created_at >= $6 and created_at < $7 \
         order by id desc limit $8"
    ),
);

static CANCEL: Query = Query::write(
    "queue.cancel",
    "update queue_jobs set cancel_requested = true, \
     state = case when state = 'running' then state else 'cancelled' end, \
     ended_at = case when state = 'running' then null else cast($2 as timestamptz) end, \
     unique_key = case when state <> 'running' and unique_scope in ('live', 'waiting') then null \
     else unique_key end \
     where id = $1 and ended_at is null and coalesce(tenant, '') = $3 \
     returning id, state, batch_id, null, null, queue, lane",
);

static STATE: Query =
    Query::write("queue.state", "select state from queue_jobs where id = $1 and coalesce(tenant, '') = $2");

static SET_PAUSED: Query = Query::write(
    "queue.set_paused",
    "insert into queue_controls (queue, paused) values ($1, $2) \
     on conflict (queue) do update set paused = $2",
);

static PAUSED: Query = Query::scan("queue.paused", "select queue from queue_controls where paused");

static DEAD_GROUPS: Query = Query::scan(
    "queue.dead_groups",
    "select queue, kind, coalesce(fingerprint, ''), count(*), min(ended_at), max(ended_at), max(error) \
     from queue_jobs where state = 'dead' group by queue, kind, fingerprint \
     order by count(*) desc, queue, kind limit $1",
);

/// Which dead letters a [`DeadSelection`] means: the first five parameters.
macro_rules! selected {
    () => {
        "state = 'dead' and ended_at <= $5 and (cast($1 as text) is null or queue = $1) and \
         (cast($2 as text) is null or kind = $2) and (cast($3 as text) is null or fingerprint = $3) and \
         (cast($4 as uuid) is null or id = $4)"
    };
}

static COUNT_DEAD: Query =
    Query::scan("queue.count_dead", concat!("select count(*) from queue_jobs where ", selected!()));

static LOCK_DEAD: Query = Query::write(
    "queue.lock_dead",
    concat!(
        "select id, queue, lane from queue_jobs where ",
        selected!(),
        " order by ended_at limit $6 for update skip locked"
    ),
);

static REVIVE: Query = Query::write(
    "queue.revive",
    "update queue_jobs set state = case when lane is not null and exists (select 1 from queue_jobs as earlier \
     where earlier.queue = queue_jobs.queue and earlier.lane = queue_jobs.lane and earlier.lane is not null \
     and earlier.ended_at is null) then 'behind' \
     when cast($2 as timestamptz) > cast($3 as timestamptz) then 'scheduled' else 'pending' end, run_at = $2, \
     ended_at = null, attempts = 0, cancel_requested = false, lane_number = $4, batch_id = null \
     where id = $1 and state = 'dead'",
);

/// A job, if there is one.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<JobRecord>, DatabaseError> {
    read.row(&FIND, params![id, tenant]).await?.map(|row| record_from(&row, now)).transpose()
}

/// A job, whosever it is.
pub(crate) async fn find_of_any(
    read: &Read<'_>,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<JobRecord>, DatabaseError> {
    read.row(&FIND_OF_ANY, params![id]).await?.map(|row| record_from(&row, now)).transpose()
}

/// Jobs, newest first.
pub(crate) async fn list(
    read: &Read<'_>,
    filter: &JobFilter,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<JobRecord>, DatabaseError> {
    let values = params![
        filter.queue.as_deref(),
        filter.kind.as_deref(),
        filter.state.map(JobState::as_str),
        filter.tenant.as_ref(),
        filter.after.unwrap_or(Uuid::max()),
        filter.since.unwrap_or(Timestamp::MIN),
        filter.before.unwrap_or(Timestamp::MAX),
        i64::try_from(limit).unwrap_or(i64::MAX),
        now,
    ];
    read.rows(&LIST, values).await?.iter().map(|row| record_from(row, now)).collect()
}

/// Cancels a job that has not ended.
pub(crate) async fn cancel(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<Ended>, DatabaseError> {
    tx.row(&CANCEL, params![id, now, tenant]).await?.as_ref().map(ended_from).transpose()
}

/// The state of a job.
pub(crate) async fn state(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<JobState>, DatabaseError> {
    let name: Option<String> =
        tx.row(&STATE, params![id, tenant]).await?.map(|row| row.get(0)).transpose()?;
    Ok(name.as_deref().and_then(JobState::parse))
}

/// Pauses or resumes a queue.
pub(crate) async fn set_paused(tx: &mut Transaction, queue: &str, paused: bool) -> Result<(), DatabaseError> {
    tx.execute(&SET_PAUSED, params![queue, paused]).await.map(drop)
}

/// The queues that are paused.
pub(crate) async fn paused(read: &Read<'_>) -> Result<Vec<String>, DatabaseError> {
    read.rows(&PAUSED, []).await?.iter().map(|row| row.get(0)).collect()
}

/// Dead letters by what they died of.
pub(crate) async fn dead_groups(read: &Read<'_>, limit: usize) -> Result<Vec<DeadGroup>, DatabaseError> {
    let rows = read.rows(&DEAD_GROUPS, params![i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    let group = |row: &Row| {
        Ok(DeadGroup {
            queue: row.get(0)?,
            kind: row.get(1)?,
            fingerprint: row.get(2)?,
            count: row.get::<i64>(3)?.unsigned_abs(),
            first: row.get(4)?,
            last: row.get(5)?,
            error: row.get::<Option<String>>(6)?.unwrap_or_default(),
        })
    };
    rows.iter().map(group).collect()
}

fn selection_values(selection: &DeadSelection, until: Timestamp) -> Vec<Value> {
    let values = params![
        selection.queue.as_deref(),
        selection.kind.as_deref(),
        selection.fingerprint.as_deref(),
        selection.id,
        until
    ];
    Vec::from(values)
}

/// How many dead letters are selected.
pub(crate) async fn count_dead(
    read: &Read<'_>,
    selection: &DeadSelection,
    until: Timestamp,
) -> Result<u64, DatabaseError> {
    let row = read.row(&COUNT_DEAD, selection_values(selection, until)).await?;
    Ok(row.map_or(Ok(0), |row| row.get::<i64>(0))?.unsigned_abs())
}

/// Some of the selected dead letters, locked: id, queue, lane.
pub(crate) async fn lock_dead(
    tx: &mut Transaction,
    selection: &DeadSelection,
    until: Timestamp,
    count: usize,
) -> Result<Vec<(Uuid, String, Option<String>)>, DatabaseError> {
    let mut values = selection_values(selection, until);
    values.push(i64::try_from(count).unwrap_or(i64::MAX).into());
    let rows = tx.rows(&LOCK_DEAD, values).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Lets a dead letter wait for a worker again.
pub(crate) async fn revive(
    tx: &mut Transaction,
    id: Uuid,
    run_at: Timestamp,
    now: Timestamp,
    lane_number: Option<i64>,
) -> Result<(), DatabaseError> {
    tx.execute(&REVIVE, params![id, run_at, now, lane_number]).await.map(drop)
}

/// A job whose moment has come waits for a worker, whether one has looked since or not; and so does one that is behind
/// another in its lane.
fn record_from(row: &Row, now: Timestamp) -> Result<JobRecord, DatabaseError> {
    let (state, run_at): (String, Timestamp) = (row.get(5)?, row.get(6)?);
    let state = match JobState::parse(&state) {
        Some(JobState::Scheduled) if run_at <= now => JobState::Pending,
        Some(state) => state,
        None if run_at > now => JobState::Scheduled,
        None => JobState::Pending,
    };
    Ok(JobRecord {
        id: row.get(0)?,
        queue: row.get(1)?,
        kind: row.get(2)?,
        payload: row.get(3)?,
        priority: row.get(4)?,
        state,
        run_at,
        created_at: row.get(7)?,
        started_at: row.get(8)?,
        ended_at: row.get(9)?,
        attempts: row.get(10)?,
        attempts_max: row.get(11)?,
        cancel_requested: row.get(12)?,
        tenant: Tenant::stored(&row.get::<Option<String>>(13)?.unwrap_or_default()),
        lane: row.get::<Option<String>>(14)?.map(|lane| Tenant::unscoped(&lane).to_owned()),
        batch: row.get(15)?,
        progress: row.get(16)?,
        result: row.get(17)?,
        error: row.get(18)?,
        fingerprint: row.get(19)?,
    })
}
