//! Statements of schedules.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Transaction, params};

static FIND: Query =
    Query::point("queue.schedule_find", "select expression, next_at from queue_schedules where name = $1");

static SET: Query = Query::write(
    "queue.schedule_set",
    "insert into queue_schedules (name, expression, next_at) values ($1, $2, $3) on conflict (name) do update \
     set expression = excluded.expression, next_at = excluded.next_at \
     where queue_schedules.expression <> excluded.expression",
);

static ADVANCE: Query = Query::write(
    "queue.schedule_advance",
    "update queue_schedules set next_at = $3, last_at = $4 where name = $1 and next_at = $2",
);

/// The expression of a schedule, and when it is due.
pub(crate) async fn find(read: &Read<'_>, name: &str) -> Result<Option<(String, Timestamp)>, DatabaseError> {
    let row = read.row(&FIND, params![name]).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// Adds a schedule, or changes one that read differently.
pub(crate) async fn set(
    tx: &mut Transaction,
    name: &str,
    expression: &str,
    next: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(&SET, params![name, expression, next]).await.map(drop)
}

/// Moves a schedule from one moment to the next; false when another process did.
pub(crate) async fn advance(
    tx: &mut Transaction,
    name: &str,
    (due, next): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&ADVANCE, params![name, due, next, now]).await? > 0)
}
