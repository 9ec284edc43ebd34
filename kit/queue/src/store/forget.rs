//! The statements that find jobs that mention a person, and empty them.

use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Mentions;

/// Jobs in the order of their ids, as many as have `$4` characters together, and at least one.
static PAGE: Query = Query::scan(
    "queue.contents",
    "select id, payload, progress, result, cursor, sequel, error, unique_key from queue_jobs where id in (\
     select id from (select id, size, sum(size) over (order by id) as total from (select id, \
     length(cast(payload as text)) + coalesce(length(cast(progress as text)), 0) + \
     coalesce(length(cast(result as text)), 0) + coalesce(length(cast(cursor as text)), 0) + \
     coalesce(length(cast(sequel as text)), 0) + coalesce(length(error), 0) as size \
     from queue_jobs where id > $1 and id <> $2 and coalesce(tenant, '') = $5 order by id limit $3) as sized) as page \
     where total - size < $4) order by id",
);

static EMPTY: Query = Query::write(
    "queue.empty",
    "update queue_jobs set payload = $2, progress = null, result = null, cursor = null, sequel = null, \
     error = null, unique_key = null where id = $1",
);

/// Callbacks in the order of their batches' ids. Each is as small as the jobs that a caller may store.
static CALLBACKS: Query = Query::scan(
    "queue.callbacks",
    "select id, callback from queue_batches where callback is not null and id > $1 \
     and coalesce(callback ->> 'tenant', '') = $3 order by id limit $2",
);

static DROP_CALLBACK: Query =
    Query::write("queue.drop_callback", "update queue_batches set callback = null where id = $1");

/// The callbacks of a tenant's batches after one; none when there are no more.
pub(crate) async fn callbacks(
    read: &Read<'_>,
    tenant: &Tenant,
    after: Uuid,
    count: usize,
) -> Result<Vec<(Uuid, Value)>, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = read.rows(&CALLBACKS, params![after, count, tenant]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Takes its callback from a batch; whether it was there.
pub(crate) async fn drop_callback(tx: &mut Transaction, id: Uuid) -> Result<u64, DatabaseError> {
    tx.execute(&DROP_CALLBACK, params![id]).await
}

/// The data of a job and its results.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) id: Uuid,
    values: Vec<Value>,
    texts: Vec<String>,
}

impl Contents {
    /// Whether anything in it mentions one of them.
    pub(crate) fn mention(&self, mentions: &Mentions) -> bool {
        self.values.iter().any(|value| mentions.stand_in_json(value))
            || self.texts.iter().any(|text| mentions.stand_in(text))
    }
}

/// The data of a tenant's jobs after a given one, except for `spared`: at most `count` jobs, and no more once they have `size_max`
/// characters together. Empty at the end.
pub(crate) async fn contents(
    read: &Read<'_>,
    tenant: &Tenant,
    (after, spared): (Uuid, Uuid),
    (count, size_max): (usize, i64),
) -> Result<Vec<Contents>, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = read.rows(&PAGE, params![after, spared, count, size_max, tenant]).await?;
    rows.iter().map(contents_from).collect()
}

fn contents_from(row: &Row) -> Result<Contents, DatabaseError> {
    let values: [Option<Value>; 5] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
    let texts: [Option<String>; 2] = [row.get(6)?, row.get(7)?];
    Ok(Contents {
        id: row.get(0)?,
        values: values.into_iter().flatten().collect(),
        texts: texts.into_iter().flatten().collect(),
    })
}

/// Removes the data and the results of a job. Returns whether the job exists.
pub(crate) async fn empty(tx: &mut Transaction, id: Uuid) -> Result<u64, DatabaseError> {
    tx.execute(&EMPTY, params![id, json!({})]).await
}
