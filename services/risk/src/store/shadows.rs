//! The statements about runs in the shadow.

use pando_database::Value;
use pando_service::prelude::*;

use crate::rules::Summary;

static BEGIN: Query = Query::write(
    "risk.begin_shadow",
    "insert into risk_shadow_runs (tenant, number, since, updated_at, summary) values ($1, $2, $3, $3, $4) \
     on conflict (number, tenant) do update set since = $3, updated_at = $3, summary = $4",
);

static LOCK: Query = Query::point(
    "risk.lock_shadow",
    "select since, updated_at, summary from risk_shadow_runs where number = $1 and tenant = $2 for update",
);

static FIND: Query = Query::point(
    "risk.find_shadow",
    "select since, updated_at, summary from risk_shadow_runs where number = $1 and tenant = $2",
);

static SAVE: Query = Query::write(
    "risk.save_shadow",
    "update risk_shadow_runs set updated_at = $3, summary = $4 where number = $1 and tenant = $2",
);

/// A run in the shadow.
pub(crate) struct ShadowRow {
    pub(crate) since: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) summary: Summary,
}

/// Begins the run of a version anew.
pub(crate) fn begin(tx: &mut Transaction, tenant: &Tenant, number: i64, now: Timestamp) -> Result<(), Fault> {
    let summary = Value::json(&Summary::default()).map_err(Fault::internal)?;
    tx.execute_later(&BEGIN, params![tenant, number, now, summary]);
    Ok(())
}

pub(crate) async fn find(read: &Read<'_>, tenant: &Tenant, number: i64) -> Result<Option<ShadowRow>, Fault> {
    read.row(&FIND, params![number, tenant]).await?.map(|row| run(&row)).transpose()
}

/// Adds the comparisons of a process to a run that began at this moment or earlier; to none if there is no such run.
pub(crate) async fn add(
    tx: &mut Transaction,
    tenant: &Tenant,
    (number, now): (i64, Timestamp),
    more: Summary,
) -> Result<(), Fault> {
    let Some(row) = tx.row(&LOCK, params![number, tenant]).await? else { return Ok(()) };
    let mut summary = run(&row)?.summary;
    summary.merge(more);
    let summary = Value::json(&summary).map_err(Fault::internal)?;
    tx.execute_later(&SAVE, params![number, tenant, now, summary]);
    Ok(())
}

fn run(row: &Row) -> Result<ShadowRow, Fault> {
    Ok(ShadowRow {
        since: row.get("since")?,
        updated_at: row.get("updated_at")?,
        summary: row.get::<Json<_>>("summary")?.0,
    })
}
