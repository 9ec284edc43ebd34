//! Statements of recurring jobs.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use serde_json::Value;
use uuid::Uuid;

use crate::Recurring;

macro_rules! columns {
    () => {
        "name, expression, job, callback, paused, overlap, version, next_at, last_at, last_job, created_at, \
         updated_at, tenant"
    };
}

static FIND: Query = Query::point(
    "queue.recurring_find",
    concat!("select ", columns!(), " from queue_recurring where tenant = $1 and name = $2"),
);

static LOCK: Query = Query::write(
    "queue.recurring_lock",
    concat!("select ", columns!(), " from queue_recurring where tenant = $1 and name = $2 for update"),
);

static LIST: Query = Query::scan(
    "queue.recurring_list",
    concat!(
        "select ",
        columns!(),
        " from queue_recurring where tenant = $1 and name > $2 order by name limit $3"
    ),
);

static DUE: Query = Query::scan(
    "queue.recurring_due",
    concat!(
        "select ",
        columns!(),
        " from queue_recurring where not paused and next_at <= $1 order by next_at limit $2"
    ),
);

static INSERT: Query = Query::write(
    "queue.recurring_insert",
    "insert into queue_recurring (name, expression, job, callback, paused, overlap, version, next_at, created_at, \
     updated_at, tenant) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10) on conflict do nothing",
);

static UPDATE: Query = Query::write(
    "queue.recurring_update",
    "update queue_recurring set expression = $2, job = $3, callback = $4, paused = $5, overlap = $6, version = $7, \
     next_at = $8, updated_at = $9 where name = $1 and tenant = $10",
);

static DELETE: Query =
    Query::write("queue.recurring_delete", "delete from queue_recurring where tenant = $1 and name = $2");

static ADVANCE: Query = Query::write(
    "queue.recurring_advance",
    "update queue_recurring set next_at = $4, last_at = $5 where tenant = $1 and name = $2 and next_at = $3 and not paused",
);

static SET_LAST: Query = Query::write(
    "queue.recurring_set_last",
    "update queue_recurring set last_job = $3 where tenant = $1 and name = $2",
);

pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    name: &str,
) -> Result<Option<Recurring>, DatabaseError> {
    read.row(&FIND, params![tenant, name]).await?.map(|row| recurring_from(&row)).transpose()
}

pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    name: &str,
) -> Result<Option<Recurring>, DatabaseError> {
    tx.row(&LOCK, params![tenant, name]).await?.map(|row| recurring_from(&row)).transpose()
}

/// Those of a tenant whose names come after one, in the order of their names.
pub(crate) async fn list(
    read: &Read<'_>,
    tenant: &Tenant,
    after: &str,
    limit: usize,
) -> Result<Vec<Recurring>, DatabaseError> {
    let rows = read.rows(&LIST, params![tenant, after, i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    rows.iter().map(recurring_from).collect()
}

/// Those whose moment has come.
pub(crate) async fn due(
    read: &Read<'_>,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Recurring>, DatabaseError> {
    let rows = read.rows(&DUE, params![now, i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    rows.iter().map(recurring_from).collect()
}

/// Adds one; false when its name is taken.
pub(crate) async fn insert(tx: &mut Transaction, new: &Recurring) -> Result<bool, DatabaseError> {
    let values = params![
        new.name.as_str(),
        new.expression.as_str(),
        new.job.clone(),
        new.callback.clone(),
        new.paused,
        new.overlap,
        new.version,
        new.next_at,
        new.updated_at,
        &new.tenant
    ];
    Ok(tx.execute(&INSERT, values).await? > 0)
}

pub(crate) async fn update(tx: &mut Transaction, next: &Recurring) -> Result<(), DatabaseError> {
    let values = params![
        next.name.as_str(),
        next.expression.as_str(),
        next.job.clone(),
        next.callback.clone(),
        next.paused,
        next.overlap,
        next.version,
        next.next_at,
        next.updated_at,
        &next.tenant
    ];
    tx.execute(&UPDATE, values).await.map(drop)
}

/// Deletes one; false when there was none.
pub(crate) async fn delete(tx: &mut Transaction, tenant: &Tenant, name: &str) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&DELETE, params![tenant, name]).await? > 0)
}

/// Moves one from one moment to the next; false when another process did, or it was changed meanwhile.
pub(crate) async fn advance(
    tx: &mut Transaction,
    (tenant, name): (&Tenant, &str),
    (due, next): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&ADVANCE, params![tenant, name, due, next, now]).await? > 0)
}

pub(crate) async fn set_last(
    tx: &mut Transaction,
    (tenant, name): (&Tenant, &str),
    job: Uuid,
) -> Result<(), DatabaseError> {
    tx.execute(&SET_LAST, params![tenant, name, job]).await.map(drop)
}

fn recurring_from(row: &Row) -> Result<Recurring, DatabaseError> {
    Ok(Recurring {
        name: row.get(0)?,
        expression: row.get(1)?,
        job: row.get::<Value>(2)?,
        callback: row.get::<Option<Value>>(3)?,
        paused: row.get(4)?,
        overlap: row.get(5)?,
        version: row.get(6)?,
        next_at: row.get(7)?,
        last_at: row.get(8)?,
        last_job: row.get(9)?,
        created_at: row.get(10)?,
        updated_at: row.get(11)?,
        tenant: Tenant::stored(&row.get::<String>(12)?),
    })
}
