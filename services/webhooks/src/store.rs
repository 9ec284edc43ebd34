//! Every statement of this service about endpoints, beside the row that it reads. Those about deliveries are below.

use std::sync::Arc;

use pando_service::Listed;
use pando_service::prelude::*;
use pando_vault::Keyring;
use uuid::Uuid;

use crate::domain::endpoint::{Endpoint, Record, WebhookStatus};
use crate::domain::secrets::Secrets;

pub(crate) mod deliveries;

/// The schema of this service, in the order it came to be.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "webhooks",
    migrations: &[Migration::new(1, "webhooks", include_str!("../migrations/0001_webhooks.sql"))],
};

/// The newest endpoints first.
pub(crate) static NEWEST: Order =
    Order { name: "-created_at", column: "created_at", kind: KeyKind::Time, descending: true };

macro_rules! columns {
    () => {
        "id, tenant, name, url, status, events, settings, secrets, delivered, failed, last_delivery, failures, \
         failing_since, closed_until, opened, next_slot, version, created_at, updated_at"
    };
}

static FIND: Query = Query::point(
    "webhooks.find",
    concat!("select ", columns!(), " from webhooks where id = $1 and tenant = $2"),
);

static LOCK: Query = Query::point(
    "webhooks.lock",
    concat!("select ", columns!(), " from webhooks where id = $1 and tenant = $2 for update"),
);

static LIST: List =
    List { name: "webhooks.list", select: concat!("select ", columns!(), " from webhooks"), rows: "true" };

/// The endpoints that collect events, of several tenants.
static COLLECTING: Query = Query::scan(
    "webhooks.collecting",
    concat!(
        "select ",
        columns!(),
        " from webhooks where tenant = any($1) and status in ('active', 'paused') order by tenant, created_at, id"
    ),
);

static COUNT: Query = Query::scan(
    "webhooks.count",
    "select count(*) from (select 1 from webhooks where tenant = $1 limit $2) some_of_them",
);

static INSERT: Query = Query::write(
    "webhooks.insert",
    "insert into webhooks (id, tenant, name, url, status, events, settings, secrets, delivered, failed, failures, opened, \
     version, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, 0, $9, $10, $11)",
);

/// A change by a caller begins a new life: what failed before counts no more.
static UPDATE: Query = Query::write(
    "webhooks.update",
    "update webhooks set name = $3, url = $4, status = $5, events = $6, settings = $7, secrets = $8, version = $9, \
     updated_at = $10, failures = 0, failing_since = null, closed_until = null, opened = 0 \
     where id = $1 and tenant = $2",
);

static RECORD: Query = Query::write(
    "webhooks.record",
    "update webhooks set delivered = $3, failed = $4, last_delivery = $5, failures = $6, failing_since = $7, \
     closed_until = $8, opened = $9, next_slot = $10, status = $11, version = $12 where id = $1 and tenant = $2",
);

static DELETE: Query = Query::write("webhooks.delete", "delete from webhooks where id = $1 and tenant = $2");

/// The ids of all endpoints there are, for the sweep.
static IDS_AFTER: Query =
    Query::scan("webhooks.ids_after", "select id from webhooks where id > $1 order by id limit $2");

/// The rows of endpoints. With keys, secrets and headers are sealed in them. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    vault: Arc<Keyring>,
}

impl Store {
    pub(crate) fn new(vault: &Arc<Keyring>) -> Self {
        Self { vault: vault.clone() }
    }

    pub(crate) async fn find(
        &self,
        read: &Read<'_>,
        tenant: &Tenant,
        id: Uuid,
    ) -> Result<Option<Endpoint>, Fault> {
        let row = read.row(&FIND, params![id, tenant]).await?;
        row.map(|row| self.endpoint(&row)).transpose()
    }

    /// The same, locked until the transaction ends.
    pub(crate) async fn lock(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        id: Uuid,
    ) -> Result<Option<Endpoint>, Fault> {
        let row = tx.row(&LOCK, params![id, tenant]).await?;
        row.map(|row| self.endpoint(&row)).transpose()
    }

    /// The endpoints of some tenants that collect events, each with its tenant.
    pub(crate) async fn collecting(
        &self,
        read: &Read<'_>,
        tenants: &[Tenant],
    ) -> Result<Vec<(Tenant, Endpoint)>, Fault> {
        let names: Vec<String> = tenants.iter().map(|tenant| tenant.as_str().to_owned()).collect();
        let rows = read.rows(&COLLECTING, params![names]).await?;
        let known = |row: &Row| {
            let name: String = row.get("tenant")?;
            let tenant = tenants.iter().find(|tenant| tenant.as_str() == name);
            let tenant =
                tenant.cloned().ok_or_else(|| Fault::internal("a row of no tenant that was asked for"))?;
            Ok((tenant, self.endpoint(row)?))
        };
        rows.iter().map(known).collect()
    }

    /// All endpoints of a tenant that pass a filter, the newest first.
    pub(crate) async fn list(
        &self,
        read: &Read<'_>,
        tenant: &Tenant,
        (status, count): (Option<WebhookStatus>, usize),
    ) -> Result<Vec<Endpoint>, Fault> {
        let mut list: Listed<'_> = LIST.of(tenant);
        if let Some(status) = status {
            list = list.filter("status = $1", params![status.as_str()]);
        }
        let rows = list.rows(read, &NEWEST, None, count).await?;
        rows.iter().map(|row| self.endpoint(row)).collect()
    }

    pub(crate) fn insert(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        endpoint: &Endpoint,
    ) -> Result<(), Fault> {
        let mut values = self.values(tenant, endpoint)?;
        values.extend(params![endpoint.version, endpoint.created_at, endpoint.updated_at]);
        tx.execute_later(&INSERT, values);
        Ok(())
    }

    pub(crate) fn update(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        endpoint: &Endpoint,
    ) -> Result<(), Fault> {
        let Endpoint { id, name, url, status, .. } = endpoint;
        let mut values: Vec<pando_database::Value> =
            params![*id, tenant, name.as_str(), url.as_str(), status.as_str()].into();
        values.extend(self.values(tenant, endpoint)?.into_iter().skip(5));
        values.extend(params![endpoint.version, endpoint.updated_at]);
        tx.execute_later(&UPDATE, values);
        Ok(())
    }

    fn values(&self, tenant: &Tenant, endpoint: &Endpoint) -> Result<Vec<pando_database::Value>, Fault> {
        let Endpoint { id, name, url, status, events, settings, secrets, .. } = endpoint;
        let secrets = serde_json::to_string(secrets).map_err(Fault::internal)?;
        let key = id.to_string();
        let sealed = self.vault.seal(&place(tenant, &key), &secrets).map_err(Fault::internal)?;
        let json = |value: Result<pando_database::Value, serde_json::Error>| value.map_err(Fault::internal);
        let values = params![
            *id,
            tenant,
            name.as_str(),
            url.as_str(),
            status.as_str(),
            json(pando_database::Value::json(events))?,
            json(pando_database::Value::json(settings))?,
            sealed
        ];
        Ok(values.into())
    }

    fn endpoint(&self, row: &Row) -> Result<Endpoint, Fault> {
        let (id, tenant, status): (Uuid, String, String) =
            (row.get("id")?, row.get("tenant")?, row.get("status")?);
        let tenant = Tenant::stored(&tenant);
        let (key, sealed) = (id.to_string(), row.get::<String>("secrets")?);
        let secrets = self.vault.open(&place(&tenant, &key), &sealed).map_err(Fault::internal)?;
        let record = Record {
            delivered: row.get("delivered")?,
            failed: row.get("failed")?,
            last_delivery: row.get::<Option<Json<_>>>("last_delivery")?.map(|Json(last)| last),
            failures: row.get("failures")?,
            failing_since: row.get("failing_since")?,
            closed_until: row.get("closed_until")?,
            opened: row.get("opened")?,
            next_slot: row.get("next_slot")?,
        };
        Ok(Endpoint {
            id,
            name: row.get("name")?,
            url: row.get("url")?,
            status: WebhookStatus::parse(&status)
                .ok_or_else(|| Fault::internal("an unknown status in a row"))?,
            events: row.get::<Json<_>>("events")?.0,
            settings: row.get::<Json<_>>("settings")?.0,
            secrets: serde_json::from_str::<Secrets>(&secrets).map_err(Fault::internal)?,
            record,
            version: row.get("version")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// How many endpoints a tenant has, counted up to a number.
pub(crate) async fn count(tx: &mut Transaction, tenant: &Tenant, up_to: i64) -> Result<i64, Fault> {
    let row = tx.row(&COUNT, params![tenant, up_to]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or_default())
}

/// The ids of endpoints of any tenant after one, in order.
pub(crate) async fn ids_after(
    read: &Read<'_>,
    after: Uuid,
    count: usize,
) -> Result<Vec<Uuid>, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    read.rows(&IDS_AFTER, params![after, count]).await?.iter().map(|row| row.get(0)).collect()
}

/// Writes what attempts have made of an endpoint, which the transaction has locked.
pub(crate) fn record(tx: &mut Transaction, tenant: &Tenant, endpoint: &Endpoint) -> Result<(), Fault> {
    let Endpoint { id, record, status, version, .. } = endpoint;
    let last = record.last_delivery.as_ref().map(pando_database::Value::json).transpose();
    let values = params![
        *id,
        tenant,
        record.delivered,
        record.failed,
        last.map_err(Fault::internal)?.unwrap_or(pando_database::Value::Null),
        record.failures,
        record.failing_since,
        record.closed_until,
        record.opened,
        record.next_slot,
        status.as_str(),
        *version
    ];
    tx.execute_later(&RECORD, values);
    Ok(())
}

pub(crate) fn delete(tx: &mut Transaction, tenant: &Tenant, id: Uuid) {
    tx.execute_later(&DELETE, params![id, tenant]);
}

/// The place for which secrets are sealed: those of one row cannot be put into another.
fn place<'a>(tenant: &'a Tenant, id: &'a str) -> [&'a str; 4] {
    [tenant.as_str(), "webhooks", "secrets", id]
}
