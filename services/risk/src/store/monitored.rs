//! The statements about businesses under monitoring, and about the operator's lists as processes had them.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::ids;
use crate::domain::monitored::{Monitored, MonitoredRow};

static PUT: Query = Query::write(
    "risk.monitor",
    "insert into risk_monitored (tenant, business_id, business_name, country, created_by, created_at) \
     values ($1, $2, $3, $4, $5, $6) on conflict (business_id, tenant) do nothing",
);

static REMOVE: Query =
    Query::write("risk.unmonitor", "delete from risk_monitored where business_id = $1 and tenant = $2");

static FIND: Query = Query::point(
    "risk.find_monitored",
    "select business_id, business_name, country, created_by, created_at from risk_monitored \
     where business_id = $1 and tenant = $2",
);

static COUNT: Query = Query::scan(
    "risk.count_monitored",
    "select count(*) from (select 1 from risk_monitored where tenant = $1 limit $2) some_of_them",
);

static PAGE: Query = Query::scan(
    "risk.monitored",
    "select business_id, business_name, country, created_by, created_at from risk_monitored \
     where tenant = $1 and business_id > $2 order by business_id limit $3",
);

static TENANTS: Query = Query::scan(
    "risk.monitoring_tenants",
    "select distinct tenant from risk_monitored where tenant > $1 order by tenant limit $2",
);

static FIRST_TENANT: Query =
    Query::point("risk.monitoring_default_tenant", "select 1 from risk_monitored where tenant = $1 limit 1");

static LAST_LIST: Query = Query::point(
    "risk.last_operator_list",
    "select number, version from risk_operator_lists where name = $1 order by number desc limit 1",
);

static LIST: Query = Query::point(
    "risk.operator_list",
    "select version, entries from risk_operator_lists where name = $1 and number = $2",
);

static SEE_LIST: Query = Query::write(
    "risk.see_operator_list",
    "insert into risk_operator_lists (name, number, version, entries, seen_at) values ($1, $2, $3, $4, $5) \
     on conflict (name, number) do nothing returning number",
);

pub(crate) fn put(tx: &mut Transaction, tenant: &Tenant, row: &MonitoredRow) {
    let shown = &row.shown;
    let values = params![
        tenant,
        row.business,
        shown.business_name.as_str(),
        shown.country.as_str(),
        shown.created_by.as_str(),
        shown.created_at
    ];
    tx.execute_later(&PUT, values);
}

pub(crate) fn remove(tx: &mut Transaction, tenant: &Tenant, business: Uuid) {
    tx.execute_later(&REMOVE, params![business, tenant]);
}

pub(crate) async fn find(
    tx: &mut Transaction,
    tenant: &Tenant,
    business: Uuid,
) -> Result<Option<MonitoredRow>, Fault> {
    tx.row(&FIND, params![business, tenant]).await?.map(|row| monitored(&row)).transpose()
}

/// How many businesses a tenant monitors, counted up to a number.
pub(crate) async fn count(tx: &mut Transaction, tenant: &Tenant, up_to: i64) -> Result<i64, Fault> {
    let row = tx.row(&COUNT, params![tenant, up_to]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or_default())
}

/// Businesses after one, by their ids.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    (after, count): (Uuid, usize),
) -> Result<Vec<MonitoredRow>, Fault> {
    let limit = i64::try_from(count).unwrap_or(i64::MAX);
    read.rows(&PAGE, params![tenant, after, limit]).await?.iter().map(monitored).collect()
}

/// Whether a tenant monitors any business.
pub(crate) async fn has_any(read: &Read<'_>, tenant: &Tenant) -> Result<bool, Fault> {
    Ok(read.row(&FIRST_TENANT, params![tenant]).await?.is_some())
}

/// Tenants with businesses under monitoring after one, by their names.
pub(crate) async fn tenants_after(read: &Read<'_>, after: &Tenant, count: i64) -> Result<Vec<Tenant>, Fault> {
    let rows = read.rows(&TENANTS, params![after, count]).await?;
    rows.iter().map(|row| Ok(Tenant::stored(&row.get::<String>(0)?))).collect()
}

/// The number and the version of an operator's list as it was last seen.
pub(crate) async fn last_list(read: &Read<'_>, name: &str) -> Result<Option<(i64, String)>, Fault> {
    let row = read.row(&LAST_LIST, params![name]).await?;
    Ok(row.map(|row| Ok::<_, DatabaseError>((row.get(0)?, row.get(1)?))).transpose()?)
}

/// The version and the entries of an operator's list as it was seen under a number.
pub(crate) async fn list(
    read: &Read<'_>,
    name: &str,
    number: i64,
) -> Result<Option<(String, Vec<u8>)>, Fault> {
    let row = read.row(&LIST, params![name, number]).await?;
    Ok(row.map(|row| Ok::<_, DatabaseError>((row.get(0)?, row.get(1)?))).transpose()?)
}

/// Notes an operator's list under a number; whether this process was the first.
pub(crate) async fn see_list(
    tx: &mut Transaction,
    (name, number): (&str, i64),
    (version, entries): (&str, Vec<u8>),
    now: Timestamp,
) -> Result<bool, Fault> {
    Ok(tx.row(&SEE_LIST, params![name, number, version, entries, now]).await?.is_some())
}

fn monitored(row: &Row) -> Result<MonitoredRow, Fault> {
    let business: Uuid = row.get("business_id")?;
    let shown = Monitored {
        business_id: ids::BUSINESS.show(business),
        business_name: row.get("business_name")?,
        country: row.get("country")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
    };
    Ok(MonitoredRow { business, shown })
}
