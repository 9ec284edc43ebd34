//! The statements about monitorings and their alerts.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::monitoring::{MediaAlert, Monitoring};

/// How many alerts a monitoring shows.
const ALERTS_MAX: i64 = 100;

macro_rules! columns {
    () => {
        "id, business_id, business_name, types, articles, created_at"
    };
}

static FIND: Query = Query::point(
    "risk.find_monitoring",
    concat!("select ", columns!(), " from risk_monitorings where tenant = $1 and id = $2"),
);

static LOCK: Query = Query::point(
    "risk.lock_monitoring",
    concat!("select ", columns!(), " from risk_monitorings where tenant = $1 and id = $2 for update"),
);

static COUNT: Query = Query::scan(
    "risk.count_monitorings",
    "select count(*) from (select 1 from risk_monitorings where tenant = $1 limit $2) some_of_them",
);

static INSERT: Query = Query::write(
    "risk.insert_monitoring",
    "insert into risk_monitorings (tenant, id, business_id, business_name, types, articles, created_at) \
     values ($1, $2, $3, $4, $5, $6, $7)",
);

static SCREENED: Query = Query::write(
    "risk.screened_monitoring",
    "update risk_monitorings set articles = $3 where tenant = $1 and id = $2",
);

static DELETE: Query =
    Query::write("risk.delete_monitoring", "delete from risk_monitorings where tenant = $1 and id = $2");

static DELETE_ALERTS: Query = Query::write(
    "risk.delete_media_alerts",
    "delete from risk_media_alerts where tenant = $1 and monitoring_id = $2",
);

/// Of all tenants: the job that screens again goes from one to the next.
static STALE: Query = Query::scan(
    "risk.stale_monitorings",
    "select tenant, id from risk_monitorings where (tenant > $1 or (tenant = $1 and id > $2)) and articles <> $3 \
     order by tenant, id limit $4",
);

static ALERTS: Query = Query::scan(
    "risk.media_alerts",
    "select details from risk_media_alerts where tenant = $1 and monitoring_id = $2 \
     order by created_at desc, article_id limit $3",
);

static KNOWN: Query = Query::scan(
    "risk.known_articles",
    "select article_id from risk_media_alerts where tenant = $1 and monitoring_id = $2 and article_id = any($3)",
);

static INSERT_ALERT: Query = Query::write(
    "risk.insert_media_alert",
    "insert into risk_media_alerts (tenant, monitoring_id, article_id, details, created_at) values ($1, $2, $3, $4, $5)",
);

pub(crate) async fn find(read: &Read<'_>, tenant: &Tenant, id: Uuid) -> Result<Option<Monitoring>, Fault> {
    read.row(&FIND, params![tenant, id]).await?.map(|row| monitoring(&row)).transpose()
}

/// The same, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Monitoring>, Fault> {
    tx.row(&LOCK, params![tenant, id]).await?.map(|row| monitoring(&row)).transpose()
}

/// How many monitorings a tenant has, counted up to a limit.
pub(crate) async fn count(tx: &mut Transaction, tenant: &Tenant, limit: i64) -> Result<i64, Fault> {
    let row = tx.row(&COUNT, params![tenant, limit]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or_default())
}

pub(crate) fn insert(tx: &mut Transaction, tenant: &Tenant, one: &Monitoring) -> Result<(), Fault> {
    let types = pando_database::Value::json(&one.monitoring_types)?;
    let name = one.business_name.as_str();
    let values = params![tenant, one.id, one.business_id, name, types, one.articles.as_str(), one.created_at];
    tx.execute_later(&INSERT, values);
    Ok(())
}

/// Notes the version of the articles that a monitoring was screened against.
pub(crate) fn screened(tx: &mut Transaction, tenant: &Tenant, id: Uuid, articles: &str) {
    tx.execute_later(&SCREENED, params![tenant, id, articles]);
}

/// Deletes a monitoring with its alerts; whether it was there.
pub(crate) async fn delete(tx: &mut Transaction, tenant: &Tenant, id: Uuid) -> Result<bool, Fault> {
    tx.execute(&DELETE_ALERTS, params![tenant, id]).await?;
    Ok(tx.execute(&DELETE, params![tenant, id]).await? > 0)
}

/// Monitorings of all tenants that were screened against other articles, after a place.
pub(crate) async fn stale(
    read: &Read<'_>,
    (after_tenant, after_id): (&str, Uuid),
    articles: &str,
    count: i64,
) -> Result<Vec<(String, Uuid)>, Fault> {
    let rows = read.rows(&STALE, params![after_tenant, after_id, articles, count]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The alerts of a monitoring, the newest first.
pub(crate) async fn alerts(read: &Read<'_>, tenant: &Tenant, id: Uuid) -> Result<Vec<MediaAlert>, Fault> {
    let rows = read.rows(&ALERTS, params![tenant, id, ALERTS_MAX]).await?;
    rows.iter().map(|row| Ok(row.get::<Json<MediaAlert>>(0)?.0)).collect()
}

/// The articles among these about which there is an alert already.
pub(crate) async fn known(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
    articles: Vec<String>,
) -> Result<Vec<String>, Fault> {
    let rows = tx.rows(&KNOWN, params![tenant, id, articles]).await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

pub(crate) fn insert_alert(
    tx: &mut Transaction,
    tenant: &Tenant,
    monitoring: Uuid,
    alert: &MediaAlert,
) -> Result<(), Fault> {
    let details = pando_database::Value::json(alert)?;
    let article = alert.article_id.as_str();
    tx.execute_later(&INSERT_ALERT, params![tenant, monitoring, article, details, alert.created_at]);
    Ok(())
}

fn monitoring(row: &Row) -> Result<Monitoring, Fault> {
    Ok(Monitoring {
        id: row.get("id")?,
        business_id: row.get("business_id")?,
        business_name: row.get("business_name")?,
        monitoring_types: row.get::<Json<_>>("types")?.0,
        articles: row.get("articles")?,
        created_at: row.get("created_at")?,
    })
}
