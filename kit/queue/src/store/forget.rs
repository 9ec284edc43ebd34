//! Statements that find and empty what mentions somebody.

use pando_database::{DatabaseError, Query, Read, Transaction, params};
use serde_json::json;
use uuid::Uuid;

static MENTIONING: Query = Query::scan(
    "queue.mentioning",
    "select id from queue_jobs where id > $1 and id <> $2 and lower(cast(payload as text) || \
     coalesce(cast(progress as text), '') || coalesce(cast(result as text), '') || \
     coalesce(cast(cursor as text), '') || coalesce(cast(sequel as text), '') || coalesce(error, '') || \
     coalesce(unique_key, '')) like $3 escape '!' order by id limit $4",
);

static EMPTY: Query = Query::write(
    "queue.empty",
    "update queue_jobs set payload = $2, progress = null, result = null, cursor = null, sequel = null, \
     error = null, unique_key = null where id = $1",
);

/// Jobs after one, but not the other, that mention a text.
pub(crate) async fn mentioning(
    read: &Read<'_>,
    text: &str,
    (after, spared): (Uuid, Uuid),
    count: usize,
) -> Result<Vec<Uuid>, DatabaseError> {
    let escaped = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = read.rows(&MENTIONING, params![after, spared, format!("%{escaped}%"), count]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Takes out of a job what it was told and what came of it; whether it was there.
pub(crate) async fn empty(tx: &mut Transaction, id: Uuid) -> Result<u64, DatabaseError> {
    tx.execute(&EMPTY, params![id, json!({})]).await
}
