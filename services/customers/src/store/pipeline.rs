//! Statements of the pipeline: rows to archive, and dead letters.

use pando_service::prelude::*;
use uuid::Uuid;

use super::{Store, Stored};
use crate::domain::record::{DeadLetter, Record};

static FIND: Query = Query::scan(
    "customers.archive_find",
    concat!("select ", columns!(), " from customers where id = any($1) and tenant = $2"),
);

static BURY: Query = Query::write(
    "customers.archive_bury",
    "insert into customer_pipeline_dead (tenant, customer_id, version, reason, created_at) \
     values ($1, $2, $3, $4, $5) on conflict (tenant, customer_id) do update set version = excluded.version, \
     reason = excluded.reason, created_at = excluded.created_at",
);

static CLEAR: Query = Query::write(
    "customers.archive_clear",
    "delete from customer_pipeline_dead where tenant = $1 and customer_id = any($2)",
);

static DEAD: Query = Query::scan(
    "customers.archive_dead",
    "select tenant, customer_id, version, reason, created_at from customer_pipeline_dead \
     order by tenant, customer_id limit $1",
);

static COUNT_DEAD: Query =
    Query::scan("customers.archive_count_dead", "select count(*) from customer_pipeline_dead");

impl Store {
    /// The rows of these customers as records; instead of one that cannot be read, the reason.
    pub(crate) async fn records(
        &self,
        read: &Read<'_>,
        tenant: &Tenant,
        keys: Vec<Uuid>,
    ) -> Result<Vec<(Uuid, Result<Record, String>)>, DatabaseError> {
        let rows = read.rows(&FIND, params![keys, tenant]).await?;
        let found = rows.iter().map(|row| {
            // The text of such an error never contains a value.
            let record = self.stored_from(tenant, row).map(record_of).map_err(|error| error.to_string());
            Ok((row.get("id")?, record))
        });
        found.collect()
    }
}

/// Notes that a version of a customer is not in the archive.
pub(crate) async fn bury(tx: &mut Transaction, dead: &DeadLetter) -> Result<(), DatabaseError> {
    let DeadLetter { tenant, customer_id, version, reason, created_at } = dead;
    let values = params![tenant, customer_id.as_str(), *version, reason.as_str(), *created_at];
    tx.execute(&BURY, values).await.map(drop)
}

/// Forgets the dead letters of customers of whom a later version is in the archive.
pub(crate) async fn clear(
    tx: &mut Transaction,
    tenant: &Tenant,
    customer_ids: Vec<String>,
) -> Result<(), DatabaseError> {
    tx.execute(&CLEAR, params![tenant, customer_ids]).await.map(drop)
}

/// Some dead letters of all tenants.
pub(crate) async fn dead(read: &Read<'_>, count: usize) -> Result<Vec<DeadLetter>, DatabaseError> {
    let rows = read.rows(&DEAD, params![i64::try_from(count).unwrap_or(i64::MAX)]).await?;
    let letter = |row: &Row| {
        Ok(DeadLetter {
            tenant: Tenant::stored(&row.get::<String>(0)?),
            customer_id: row.get(1)?,
            version: row.get(2)?,
            reason: row.get(3)?,
            created_at: row.get(4)?,
        })
    };
    rows.iter().map(letter).collect()
}

/// How many dead letters all tenants have.
pub(crate) async fn count_dead(read: &Read<'_>) -> Result<u64, DatabaseError> {
    let row = read.row(&COUNT_DEAD, params![]).await?;
    Ok(row.map_or(Ok(0), |row| row.get::<i64>(0))?.unsigned_abs())
}

fn record_of(stored: Stored) -> Record {
    let Stored { customer, is_deleted, .. } = stored;
    match is_deleted {
        true => Record::Deleted { id: customer.id, version: customer.version },
        false => Record::Customer(Box::new(customer)),
    }
}
