//! Every statement about batches and their businesses.

use pando_database::{BatchQuery, DatabaseError, Value};
use pando_service::FieldError;
use pando_service::prelude::*;
use serde_json::Map;
use uuid::Uuid;

use super::of_name;
use crate::domain::batch::{BatchStatus, StoredBatch, StoredItem};

macro_rules! batch_columns {
    () => {
        "id, status, total, succeeded, failed, skipped, priority, retries, retries_max, run, metadata, user_id, \
         created_by, error, version, created_at, started_at, ended_at, updated_at"
    };
}

static BATCHES: BulkInsert = BulkInsert {
    name: "risk.insert_batch",
    table: "risk_batches",
    columns: &[
        ("tenant", ColumnType::Text),
        ("id", ColumnType::Uuid),
        ("status", ColumnType::Text),
        ("total", ColumnType::Bigint),
        ("succeeded", ColumnType::Bigint),
        ("failed", ColumnType::Bigint),
        ("skipped", ColumnType::Bigint),
        ("priority", ColumnType::Bigint),
        ("retries", ColumnType::Bigint),
        ("retries_max", ColumnType::Bigint),
        ("run", ColumnType::Bigint),
        ("metadata", ColumnType::Json),
        ("user_id", ColumnType::Text),
        ("created_by", ColumnType::Text),
        ("version", ColumnType::Bigint),
        ("created_at", ColumnType::Timestamp),
        ("updated_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

static ITEMS: BulkInsert = BulkInsert {
    name: "risk.insert_items",
    table: "risk_batch_items",
    columns: &[
        ("tenant", ColumnType::Text),
        ("batch_id", ColumnType::Uuid),
        ("place", ColumnType::Bigint),
        ("status", ColumnType::Text),
        ("input", ColumnType::Json),
    ],
    on_conflict: OnConflict::Fail,
    key: "batch_id",
};

static FIND: Query = Query::point(
    "risk.batch",
    concat!("select ", batch_columns!(), " from risk_batches where id = $1 and tenant = $2"),
);

static LOCK: Query = Query::write(
    "risk.lock_batch",
    concat!("select ", batch_columns!(), " from risk_batches where id = $1 and tenant = $2 for update"),
);

static SAVE: Query = Query::write(
    "risk.save_batch",
    "update risk_batches set status = $3, succeeded = $4, failed = $5, skipped = $6, retries = $7, run = $8, error = $9, \
     version = $10, started_at = $11, ended_at = $12, updated_at = $13 where id = $1 and tenant = $2",
);

macro_rules! wanted {
    () => {
        " from risk_batches where tenant = $1 and ($2 = '' or status = $2) and ($3 = '' or created_by = $3) \
         and created_at >= $4 and created_at <= $5"
    };
}

static LIST: Query = Query::scan(
    "risk.batches",
    concat!("select ", batch_columns!(), wanted!(), " order by created_at desc, id desc limit $6 offset $7"),
);

static COUNT: Query = Query::scan("risk.count_batches", concat!("select count(*)", wanted!()));

macro_rules! item_columns {
    () => {
        "select place, status, input, business_id, assessment_id, risk_score, validation, error, micros \
         from risk_batch_items where batch_id = $1 and tenant = $2"
    };
}

static PENDING: Query = Query::scan(
    "risk.pending_items",
    concat!(item_columns!(), " and status = 'pending' order by place limit $3"),
);

static PAGE: Query =
    Query::scan("risk.items", concat!(item_columns!(), " and place >= $3 order by place limit $4"));

static DURATIONS: Query = Query::scan(
    "risk.item_durations",
    "select count(*), cast(sum(micros) as bigint), min(micros), max(micros) from risk_batch_items \
     where batch_id = $1 and tenant = $2 and micros is not null",
);

static END_ITEMS: BatchQuery = BatchQuery {
    name: "risk.end_items",
    columns: &[
        ("place", ColumnType::Bigint),
        ("batch_id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("status", ColumnType::Text),
        ("business_id", ColumnType::Uuid),
        ("assessment_id", ColumnType::Uuid),
        ("risk_score", ColumnType::Double),
        ("validation", ColumnType::Json),
        ("error", ColumnType::Text),
        ("micros", ColumnType::Bigint),
    ],
    sql: "update risk_batch_items set status = batch.status, business_id = batch.business_id, \
          assessment_id = batch.assessment_id, risk_score = batch.risk_score, validation = batch.validation, \
          error = batch.error, micros = batch.micros from batch where risk_batch_items.batch_id = batch.batch_id \
          and risk_batch_items.tenant = batch.tenant and risk_batch_items.place = batch.place",
};

static SKIP_ITEMS: Query = Query::write(
    "risk.skip_items",
    "update risk_batch_items set status = 'skipped' where batch_id = $1 and tenant = $2 and status = 'pending'",
);

/// A business that is described badly stays as it is: no attempt would read it otherwise.
static REOPEN_ITEMS: Query = Query::write(
    "risk.reopen_items",
    "update risk_batch_items set status = 'pending', error = null, micros = null where batch_id = $1 and tenant = $2 \
     and (status = 'skipped' or status = 'failed' and validation is null)",
);

static FAILED_ITEMS: Query = Query::write(
    "risk.failed_items",
    "select count(*) from risk_batch_items where batch_id = $1 and tenant = $2 and status = 'failed'",
);

static ENDED: Query = Query::scan(
    "risk.ended_batches",
    "select id, tenant from risk_batches where ended_at < $1 order by ended_at limit $2",
);

static FORGET_ITEMS: Query =
    Query::write("risk.forget_items", "delete from risk_batch_items where batch_id = $1 and tenant = $2");

static FORGET: Query =
    Query::write("risk.forget_batch", "delete from risk_batches where id = $1 and tenant = $2");

static STANDING: Query = Query::scan(
    "risk.standing_batches",
    "select id, tenant from risk_batches where ended_at is null and updated_at < $1 order by updated_at limit $2",
);

/// The batches that a caller asks for. An empty text stands for any.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) status: Option<BatchStatus>,
    pub(crate) created_by: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// How long the businesses of a batch took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Durations {
    pub(crate) count: i64,
    pub(crate) sum: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: &Tenant,
    batch: &StoredBatch,
    items: Vec<serde_json::Value>,
) -> Result<(), Fault> {
    tx.insert_later(
        &BATCHES,
        params![
            tenant,
            batch.id,
            batch.status.as_str(),
            batch.total,
            batch.succeeded,
            batch.failed,
            batch.skipped,
            batch.priority,
            batch.retries,
            batch.retries_max,
            batch.run,
            Value::json(&batch.metadata)?,
            batch.user.as_str(),
            batch.created_by.as_str(),
            batch.version,
            batch.created_at,
            batch.updated_at
        ],
    );
    let rows = items.into_iter().zip(0_i64..).map(|(input, place)| {
        Ok(Vec::from(params![tenant, batch.id, place, "pending", Value::json(&input)?]))
    });
    let rows: Result<Vec<_>, serde_json::Error> = rows.collect();
    tx.bulk_insert(&ITEMS, rows?).await?;
    Ok(())
}

pub(crate) async fn find(read: &Read<'_>, tenant: &Tenant, id: Uuid) -> Result<Option<StoredBatch>, Fault> {
    read.row(&FIND, params![id, tenant]).await?.as_ref().map(batch).transpose()
}

/// A batch that nobody else changes until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<StoredBatch>, Fault> {
    tx.row(&LOCK, params![id, tenant]).await?.as_ref().map(batch).transpose()
}

/// Writes everything of a locked batch that changes.
pub(crate) async fn save(tx: &mut Transaction, tenant: &Tenant, batch: &StoredBatch) -> Result<(), Fault> {
    let values = params![
        batch.id,
        tenant,
        batch.status.as_str(),
        batch.succeeded,
        batch.failed,
        batch.skipped,
        batch.retries,
        batch.run,
        batch.error.as_deref(),
        batch.version,
        batch.started_at,
        batch.ended_at,
        batch.updated_at
    ];
    tx.execute(&SAVE, values).await?;
    Ok(())
}

/// A page of batches, the newest first, and how many there are on all pages.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    wanted: &Wanted,
    (offset, count): (usize, usize),
) -> Result<(Vec<StoredBatch>, i64), Fault> {
    let status = wanted.status.map_or("", BatchStatus::as_str);
    let created_by = wanted.created_by.as_str();
    let rows = params![tenant, status, created_by, wanted.from, wanted.to, number(count), number(offset)];
    let rows = read.rows(&LIST, rows).await?;
    let total = read.row(&COUNT, params![tenant, status, created_by, wanted.from, wanted.to]).await?;
    let total = total.map(|row| row.get(0)).transpose()?.unwrap_or_default();
    Ok((rows.iter().map(batch).collect::<Result<_, _>>()?, total))
}

/// The first businesses that are still to be assessed.
pub(crate) async fn pending(
    read: &Read<'_>,
    (tenant, id): (&Tenant, Uuid),
    count: usize,
) -> Result<Vec<StoredItem>, Fault> {
    let rows = read.rows(&PENDING, params![id, tenant, number(count)]).await?;
    rows.iter().map(item).collect()
}

/// The businesses of a batch from a place on.
pub(crate) async fn items(
    read: &Read<'_>,
    (tenant, id): (&Tenant, Uuid),
    (from, count): (usize, usize),
) -> Result<Vec<StoredItem>, Fault> {
    let rows = read.rows(&PAGE, params![id, tenant, number(from), number(count)]).await?;
    rows.iter().map(item).collect()
}

/// How long the businesses of a batch took so far.
pub(crate) async fn durations(read: &Read<'_>, (tenant, id): (&Tenant, Uuid)) -> Result<Durations, Fault> {
    let Some(row) = read.row(&DURATIONS, params![id, tenant]).await? else { return Ok(Durations::default()) };
    let value = |place: usize| row.get::<Option<i64>>(place).map(Option::unwrap_or_default);
    Ok(Durations { count: value(0)?, sum: value(1)?, min: value(2)?, max: value(3)? })
}

/// Writes what became of businesses.
pub(crate) async fn end_items(
    tx: &mut Transaction,
    (tenant, id): (&Tenant, Uuid),
    ended: &[StoredItem],
) -> Result<(), Fault> {
    let row = |item: &StoredItem| -> Result<Vec<Value>, serde_json::Error> {
        let validation = match item.validation.is_empty() {
            true => Value::Null,
            false => Value::json(&item.validation)?,
        };
        let values = params![
            item.place,
            id,
            tenant,
            item.status.as_str(),
            item.business_id,
            item.assessment_id,
            item.score,
            validation,
            item.error.as_deref(),
            item.micros
        ];
        Ok(values.into())
    };
    let rows: Result<Vec<_>, serde_json::Error> = ended.iter().map(row).collect();
    tx.batch(&END_ITEMS, rows?).await?;
    Ok(())
}

/// Skips the businesses that are still to be assessed; answers how many.
pub(crate) async fn skip(tx: &mut Transaction, tenant: &Tenant, id: Uuid) -> Result<i64, Fault> {
    Ok(tx.execute(&SKIP_ITEMS, params![id, tenant]).await?.cast_signed())
}

/// Has the businesses assessed that were skipped, and those that failed by an error of the server. Answers how many are
/// failed still.
pub(crate) async fn reopen(tx: &mut Transaction, tenant: &Tenant, id: Uuid) -> Result<i64, Fault> {
    tx.execute(&REOPEN_ITEMS, params![id, tenant]).await?;
    let row = tx.row(&FAILED_ITEMS, params![id, tenant]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or_default())
}

/// The batches of all tenants that ended before a moment, the oldest first.
pub(crate) async fn ended_before(
    read: &Read<'_>,
    before: Timestamp,
    count: usize,
) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    let rows = read.rows(&ENDED, params![before, number(count)]).await?;
    rows.iter().map(owned).collect()
}

/// The batches of all tenants that did not end, and of which nothing has changed since a moment.
pub(crate) async fn standing_since(
    read: &Read<'_>,
    since: Timestamp,
    count: usize,
) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    let rows = read.rows(&STANDING, params![since, number(count)]).await?;
    rows.iter().map(owned).collect()
}

/// Forgets a batch and its businesses. Their assessments stay.
pub(crate) async fn forget(tx: &mut Transaction, tenant: &Tenant, id: Uuid) -> Result<(), DatabaseError> {
    tx.execute(&FORGET_ITEMS, params![id, tenant]).await?;
    tx.execute(&FORGET, params![id, tenant]).await?;
    Ok(())
}

fn owned(row: &Row) -> Result<(Tenant, Uuid), DatabaseError> {
    Ok((Tenant::stored(&row.get::<String>("tenant")?), row.get("id")?))
}

fn batch(row: &Row) -> Result<StoredBatch, Fault> {
    Ok(StoredBatch {
        id: row.get("id")?,
        status: of_name(&row.get::<String>("status")?)?,
        total: row.get("total")?,
        succeeded: row.get("succeeded")?,
        failed: row.get("failed")?,
        skipped: row.get("skipped")?,
        priority: row.get("priority")?,
        retries: row.get("retries")?,
        retries_max: row.get("retries_max")?,
        run: row.get("run")?,
        metadata: row.get::<Json<Map<String, serde_json::Value>>>("metadata")?.0,
        user: row.get("user_id")?,
        created_by: row.get("created_by")?,
        error: row.get("error")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn item(row: &Row) -> Result<StoredItem, Fault> {
    let validation: Option<Json<Vec<FieldError>>> = row.get("validation")?;
    Ok(StoredItem {
        place: row.get("place")?,
        status: of_name(&row.get::<String>("status")?)?,
        input: row.get::<Json<_>>("input")?.0,
        business_id: row.get("business_id")?,
        assessment_id: row.get("assessment_id")?,
        score: row.get("risk_score")?,
        validation: validation.map(|Json(validation)| validation).unwrap_or_default(),
        error: row.get("error")?,
        micros: row.get("micros")?,
    })
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
