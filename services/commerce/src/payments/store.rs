//! Every statement about payments, beside the rows that it reads.

pub(crate) mod lists;
pub(crate) mod refunds;

use pando_service::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::domain::method::Method;
use super::domain::payment::{PaymentStatus, Stored};
use crate::domain::money::{Currency, Money};

macro_rules! columns {
    () => {
        "id, order_id, user_id, amount_minor, currency, status, method, reference, authorization_code, failure_code, \
         failure_reason, refunded_minor, stray, version, created_at, updated_at"
    };
}
pub(super) use columns;

static FIND: Query = Query::point(
    "commerce.payment",
    concat!("select ", columns!(), " from commerce_payments where id = $1 and tenant = $2"),
);

/// The provider knows payments by their ids alone.
static OWNER: Query =
    Query::point("commerce.tenant_of_payment", "select tenant from commerce_payments where id = $1");

static LOCK: Query = Query::point(
    "commerce.lock_payment",
    concat!("select ", columns!(), " from commerce_payments where id = $1 and tenant = $2 for update"),
);

static OF_ORDER: Query = Query::point(
    "commerce.payment_of_order",
    concat!(
        "select ",
        columns!(),
        " from commerce_payments where tenant = $1 and order_id = $2 and status <> 'FAILED' and not stray"
    ),
);

static UPDATE: Query = Query::write(
    "commerce.update_payment",
    "update commerce_payments set status = $3, reference = $4, authorization_code = $5, failure_code = $6, \
     failure_reason = $7, refunded_minor = $8, stray = $9, version = $10, updated_at = $11 where id = $1 and tenant = $2",
);

/// The longest wait first.
static PENDING: Query = Query::scan(
    "commerce.pending_payments",
    "select tenant, id from commerce_payments where status = 'PENDING' and updated_at <= $1 order by updated_at, id limit $2",
);

static INSERT: BulkInsert = BulkInsert {
    name: "commerce.insert_payment",
    table: "commerce_payments",
    columns: &[
        ("id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("order_id", ColumnType::Uuid),
        ("user_id", ColumnType::Text),
        ("amount_minor", ColumnType::Bigint),
        ("currency", ColumnType::Text),
        ("status", ColumnType::Text),
        ("method", ColumnType::Json),
        ("reference", ColumnType::Text),
        ("authorization_code", ColumnType::Text),
        ("failure_code", ColumnType::Text),
        ("failure_reason", ColumnType::Text),
        ("refunded_minor", ColumnType::Bigint),
        ("stray", ColumnType::Boolean),
        ("version", ColumnType::Bigint),
        ("created_at", ColumnType::Timestamp),
        ("updated_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

/// A payment.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Stored>, DatabaseError> {
    read.row(&FIND, params![id, tenant]).await?.as_ref().map(stored).transpose()
}

/// The tenant of a payment that the provider names.
pub(crate) async fn tenant_of(read: &Read<'_>, id: Uuid) -> Result<Option<Tenant>, DatabaseError> {
    let row = read.row(&OWNER, params![id]).await?;
    row.map(|row| Ok(Tenant::stored(&row.get::<String>(0)?))).transpose()
}

/// A payment, locked until the transaction ends. Its order is locked before it.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Stored>, DatabaseError> {
    tx.row(&LOCK, params![id, tenant]).await?.as_ref().map(stored).transpose()
}

/// The payment of a locked order that is under way or made.
pub(crate) async fn of_order(
    tx: &mut Transaction,
    tenant: &Tenant,
    order: Uuid,
) -> Result<Option<Stored>, DatabaseError> {
    tx.row(&OF_ORDER, params![tenant, order]).await?.as_ref().map(stored).transpose()
}

/// Adds a payment.
pub(crate) fn insert(tx: &mut Transaction, tenant: &Tenant, payment: &Stored) {
    let row = params![
        payment.id,
        tenant,
        payment.order,
        payment.user.as_str(),
        payment.amount.minor,
        payment.amount.currency.code(),
        payment.status.as_str(),
        payment.method.kept(),
        payment.reference.as_str(),
        payment.authorization_code.as_str(),
        payment.failure_code.as_str(),
        payment.failure_reason.as_str(),
        payment.refunded_minor,
        payment.stray,
        payment.version,
        payment.created_at,
        payment.updated_at
    ];
    tx.insert_later(&INSERT, row);
}

/// Writes a locked payment.
pub(crate) fn update(tx: &mut Transaction, tenant: &Tenant, payment: &Stored) {
    let row = params![
        payment.id,
        tenant,
        payment.status.as_str(),
        payment.reference.as_str(),
        payment.authorization_code.as_str(),
        payment.failure_code.as_str(),
        payment.failure_reason.as_str(),
        payment.refunded_minor,
        payment.stray,
        payment.version,
        payment.updated_at
    ];
    tx.execute_later(&UPDATE, row);
}

/// Some payments that were last heard of before a moment and have no outcome.
pub(crate) async fn pending(
    read: &Read<'_>,
    before: Timestamp,
    count: usize,
) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    owned(&read.rows(&PENDING, params![before, i64::try_from(count).unwrap_or(i64::MAX)]).await?)
}

/// Ids with their tenants.
pub(super) fn owned(rows: &[Row]) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    rows.iter().map(|row| Ok((Tenant::stored(&row.get::<String>(0)?), row.get(1)?))).collect()
}

fn method(row: &Row) -> Result<Method, DatabaseError> {
    let Json(value): Json<Value> = row.get("method")?;
    let bad = || DatabaseError::BadColumn {
        column: "method".to_owned(),
        expected: "a means of payment",
        found: "another document".to_owned(),
    };
    Method::stored(&value).ok_or_else(bad)
}

pub(super) fn stored(row: &Row) -> Result<Stored, DatabaseError> {
    let currency = row.parsed("currency", "a currency", Currency::stored)?;
    Ok(Stored {
        id: row.get("id")?,
        order: row.get("order_id")?,
        user: row.get("user_id")?,
        amount: Money::new(row.get("amount_minor")?, currency),
        status: row.parsed("status", "a status", PaymentStatus::parse)?,
        method: method(row)?,
        reference: row.get("reference")?,
        authorization_code: row.get("authorization_code")?,
        failure_code: row.get("failure_code")?,
        failure_reason: row.get("failure_reason")?,
        refunded_minor: row.get("refunded_minor")?,
        stray: row.get("stray")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
