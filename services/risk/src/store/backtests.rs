//! The statements about runs of rules over stored assessments.

use pando_database::Value;
use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::assessment::Basis;
use crate::rules::Summary;

macro_rules! columns {
    () => {
        "id, number, candidate_hash, live_hash, range_from, range_to, assessments_max, status, summary, skipped, \
         created_by, created_at, updated_at"
    };
}

static INSERT: Query = Query::write(
    "risk.insert_backtest",
    concat!(
        "insert into risk_backtests (tenant, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    ),
);

static FIND: Query = Query::point(
    "risk.find_backtest",
    concat!("select ", columns!(), " from risk_backtests where id = $1 and tenant = $2"),
);

static LOCK: Query = Query::point(
    "risk.lock_backtest",
    concat!("select ", columns!(), " from risk_backtests where id = $1 and tenant = $2 for update"),
);

static SAVE: Query = Query::write(
    "risk.save_backtest",
    "update risk_backtests set status = $3, summary = $4, skipped = $5, updated_at = $6 \
     where id = $1 and tenant = $2",
);

/// The bases of assessments after a place and up to a moment, the oldest first.
static BASES: Query = Query::scan(
    "risk.backtest_page",
    "select id, created_at, result from risk_assessments where tenant = $1 and (created_at, id) > ($2, $3) \
     and created_at <= $4 order by created_at, id limit $5",
);

/// A run of a version over stored assessments, as its row has it.
#[derive(Clone, Debug)]
pub(crate) struct BacktestRow {
    pub(crate) id: Uuid,
    pub(crate) number: i64,
    pub(crate) candidate_hash: String,
    pub(crate) live_hash: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) assessments_max: i64,
    /// `running`, `completed` or `cancelled`.
    pub(crate) status: String,
    pub(crate) summary: Summary,
    /// Assessments that were stored without the request of their rules.
    pub(crate) skipped: i64,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

pub(crate) fn insert(tx: &mut Transaction, tenant: &Tenant, row: &BacktestRow) -> Result<(), Fault> {
    let values = params![
        tenant,
        row.id,
        row.number,
        row.candidate_hash.as_str(),
        row.live_hash.as_str(),
        row.from,
        row.to,
        row.assessments_max,
        row.status.as_str(),
        Value::json(&row.summary).map_err(Fault::internal)?,
        row.skipped,
        row.created_by.as_str(),
        row.created_at,
        row.updated_at
    ];
    tx.execute_later(&INSERT, values);
    Ok(())
}

pub(crate) async fn find(read: &Read<'_>, tenant: &Tenant, id: Uuid) -> Result<Option<BacktestRow>, Fault> {
    read.row(&FIND, params![id, tenant]).await?.map(|row| backtest(&row)).transpose()
}

/// The same, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<BacktestRow>, Fault> {
    tx.row(&LOCK, params![id, tenant]).await?.map(|row| backtest(&row)).transpose()
}

/// Writes how far a run has come.
pub(crate) fn save(tx: &mut Transaction, tenant: &Tenant, row: &BacktestRow) -> Result<(), Fault> {
    let summary = Value::json(&row.summary).map_err(Fault::internal)?;
    let values = params![row.id, tenant, row.status.as_str(), summary, row.skipped, row.updated_at];
    tx.execute_later(&SAVE, values);
    Ok(())
}

/// The bases of assessments after a place and up to a moment, the oldest first.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    ((after, after_id), to): ((Timestamp, Uuid), Timestamp),
    count: i64,
) -> Result<Vec<(Uuid, Timestamp, Basis)>, Fault> {
    let rows = read.rows(&BASES, params![tenant, after, after_id, to, count]).await?;
    let basis = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get::<Json<Basis>>(2)?.0));
    rows.iter().map(basis).collect()
}

fn backtest(row: &Row) -> Result<BacktestRow, Fault> {
    Ok(BacktestRow {
        id: row.get("id")?,
        number: row.get("number")?,
        candidate_hash: row.get("candidate_hash")?,
        live_hash: row.get("live_hash")?,
        from: row.get("range_from")?,
        to: row.get("range_to")?,
        assessments_max: row.get("assessments_max")?,
        status: row.get("status")?,
        summary: row.get::<Json<_>>("summary")?.0,
        skipped: row.get("skipped")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
