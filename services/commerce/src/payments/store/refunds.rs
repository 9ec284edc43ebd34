//! Every statement about refunds, beside the rows that it reads.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::money::{Currency, Money};
use crate::payments::domain::payment::{RefundStatus, StoredRefund};

macro_rules! selected {
    ($where:literal) => {
        concat!(
            "select r.id, r.payment_id, r.amount_minor, p.currency, r.status, r.reason, r.reference, r.failure_reason, \
             r.created_at, r.updated_at from commerce_refunds r \
             join commerce_payments p on p.id = r.payment_id and p.tenant = r.tenant where ",
            $where
        )
    };
}

static FIND: Query = Query::point("commerce.refund", selected!("r.id = $1 and r.tenant = $2"));

static OWNER: Query =
    Query::point("commerce.tenant_of_refund", "select tenant from commerce_refunds where id = $1");

static OF_PAYMENT: Query = Query::scan(
    "commerce.refunds_of_payment",
    selected!("r.tenant = $1 and r.payment_id = $2 order by r.created_at, r.id"),
);

static COMPLETED: Query = Query::point(
    "commerce.completed_refunds",
    "select cast(coalesce(sum(amount_minor), 0) as bigint) from commerce_refunds \
     where tenant = $1 and payment_id = $2 and status = 'COMPLETED'",
);

static SETTLE: Query = Query::write(
    "commerce.settle_refund",
    "update commerce_refunds set status = $3, reference = $4, failure_reason = $5, updated_at = $6 where id = $1 and tenant = $2",
);

static PENDING: Query = Query::scan(
    "commerce.pending_refunds",
    "select tenant, id from commerce_refunds where status = 'PENDING' and updated_at <= $1 order by updated_at, id limit $2",
);

static INSERT: BulkInsert = BulkInsert {
    name: "commerce.insert_refund",
    table: "commerce_refunds",
    columns: &[
        ("id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("payment_id", ColumnType::Uuid),
        ("amount_minor", ColumnType::Bigint),
        ("status", ColumnType::Text),
        ("reason", ColumnType::Text),
        ("reference", ColumnType::Text),
        ("failure_reason", ColumnType::Text),
        ("actor", ColumnType::Text),
        ("created_at", ColumnType::Timestamp),
        ("updated_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

/// A refund.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<StoredRefund>, DatabaseError> {
    read.row(&FIND, params![id, tenant]).await?.as_ref().map(stored).transpose()
}

/// A refund of a payment that the transaction has locked.
pub(crate) async fn held(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<StoredRefund>, DatabaseError> {
    tx.row(&FIND, params![id, tenant]).await?.as_ref().map(stored).transpose()
}

/// The tenant of a refund that the provider names.
pub(crate) async fn tenant_of(read: &Read<'_>, id: Uuid) -> Result<Option<Tenant>, DatabaseError> {
    let row = read.row(&OWNER, params![id]).await?;
    row.map(|row| Ok(Tenant::stored(&row.get::<String>(0)?))).transpose()
}

/// The refunds of a payment, the first one first.
pub(crate) async fn of_payment(
    read: &Read<'_>,
    tenant: &Tenant,
    payment: Uuid,
) -> Result<Vec<StoredRefund>, DatabaseError> {
    read.rows(&OF_PAYMENT, params![tenant, payment]).await?.iter().map(stored).collect()
}

/// How much of a payment that the transaction has locked went back.
pub(crate) async fn completed_minor(
    tx: &mut Transaction,
    tenant: &Tenant,
    payment: Uuid,
) -> Result<i64, DatabaseError> {
    tx.row(&COMPLETED, params![tenant, payment]).await?.map_or(Ok(0), |row| row.get(0))
}

/// Adds a refund.
pub(crate) fn insert(tx: &mut Transaction, (tenant, actor): (&Tenant, &str), refund: &StoredRefund) {
    let StoredRefund {
        id,
        payment,
        amount,
        status,
        reason,
        reference,
        failure_reason,
        created_at,
        updated_at,
    } = refund;
    let row = params![
        *id,
        tenant,
        *payment,
        amount.minor,
        status.as_str(),
        reason.as_str(),
        reference.as_str(),
        failure_reason.as_str(),
        actor,
        *created_at,
        *updated_at
    ];
    tx.insert_later(&INSERT, row);
}

/// Writes the outcome of a refund whose payment the transaction has locked.
pub(crate) fn settle(tx: &mut Transaction, tenant: &Tenant, refund: &StoredRefund) {
    let StoredRefund { id, status, reference, failure_reason, updated_at, .. } = refund;
    tx.execute_later(
        &SETTLE,
        params![*id, tenant, status.as_str(), reference.as_str(), failure_reason.as_str(), *updated_at],
    );
}

/// Some refunds that were last heard of before a moment and have no outcome.
pub(crate) async fn pending(
    read: &Read<'_>,
    before: Timestamp,
    count: usize,
) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    let rows = read.rows(&PENDING, params![before, i64::try_from(count).unwrap_or(i64::MAX)]).await?;
    super::owned(&rows)
}

fn stored(row: &Row) -> Result<StoredRefund, DatabaseError> {
    let currency = row.parsed("currency", "a currency", Currency::stored)?;
    Ok(StoredRefund {
        id: row.get("id")?,
        payment: row.get("payment_id")?,
        amount: Money::new(row.get("amount_minor")?, currency),
        status: row.parsed("status", "a status", RefundStatus::parse)?,
        reason: row.get("reason")?,
        reference: row.get("reference")?,
        failure_reason: row.get("failure_reason")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
