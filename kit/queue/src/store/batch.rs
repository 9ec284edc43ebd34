//! The statements of batches, which count the jobs that have not ended.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use serde_json::Value;
use uuid::Uuid;

use crate::BatchStatus;

static INSERT: Query = Query::write(
    "queue.batch_open",
    "insert into queue_batches (id, total, unfinished, failed, callback, created_at) \
     values ($1, $2, $2, 0, $3, $4)",
);

static COUNT_DOWN: Query = Query::write(
    "queue.batch_count_down",
    "update queue_batches set unfinished = unfinished - $2, failed = failed + $3, \
     ended_at = case when unfinished <= $2 then cast($4 as timestamptz) else null end where id = $1 \
     returning total, unfinished, failed, callback",
);

static FIND: Query =
    Query::point("queue.batch_find", "select total, unfinished, failed from queue_batches where id = $1");

static CALLBACK_OF: Query = Query::write(
    "queue.batch_callback",
    "select b.callback from queue_jobs j join queue_batches b on b.id = j.batch_id where j.id = $1",
);

/// The callback of the batch that a job belongs to.
pub(crate) async fn callback_of(tx: &mut Transaction, job: Uuid) -> Result<Option<Value>, DatabaseError> {
    Ok(tx.row(&CALLBACK_OF, params![job]).await?.map(|row| row.get(0)).transpose()?.flatten())
}

/// Adds a batch.
pub(crate) async fn insert(
    tx: &mut Transaction,
    id: Uuid,
    total: usize,
    callback: Option<Value>,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let total = i64::try_from(total).unwrap_or(i64::MAX);
    tx.execute(&INSERT, params![id, total, callback, now]).await.map(drop)
}

/// Counts jobs that ended; how the batch stands, and its callback.
pub(crate) async fn count_down(
    tx: &mut Transaction,
    id: Uuid,
    (ended, failed): (i64, i64),
    now: Timestamp,
) -> Result<Option<(BatchStatus, Option<Value>)>, DatabaseError> {
    let row = tx.row(&COUNT_DOWN, params![id, ended, failed, now]).await?;
    row.map(|row| Ok((status_from(&row)?, row.get(3)?))).transpose()
}

/// How a batch stands.
pub(crate) async fn find(read: &Read<'_>, id: Uuid) -> Result<Option<BatchStatus>, DatabaseError> {
    read.row(&FIND, params![id]).await?.as_ref().map(status_from).transpose()
}

fn status_from(row: &Row) -> Result<BatchStatus, DatabaseError> {
    let count = |index: usize| Ok::<u64, DatabaseError>(u64::try_from(row.get::<i64>(index)?).unwrap_or(0));
    Ok(BatchStatus { total: count(0)?, unfinished: count(1)?, failed: count(2)? })
}
