//! Every statement about the ledger of the sandbox, beside the rows that it reads.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::money::{Currency, Money};
use crate::payments::domain::method::MethodToken;
use crate::payments::provider::domain::order::ChargeOrder;
use crate::payments::provider::domain::outcome::{DeclineCode, Outcome};

macro_rules! charges {
    ($where:literal) => {
        concat!(
            "select key, order_id, amount_minor, currency, token, reference, authorization_code, decline_code \
             from commerce_sandbox_charges where ",
            $where
        )
    };
}

/// Two requests with one key may come at once: the second one finds the charge of the first.
static INSERT_CHARGE: Query = Query::write(
    "commerce.insert_sandbox_charge",
    "insert into commerce_sandbox_charges (key, tenant, order_id, amount_minor, currency, token, reference, \
     authorization_code, decline_code, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
     on conflict (key, tenant) do nothing returning key",
);

static CHARGE: Query = Query::point("commerce.sandbox_charge", charges!("key = $1 and tenant = $2"));

static LOCK_CHARGE: Query =
    Query::point("commerce.lock_sandbox_charge", charges!("reference = $1 and tenant = $2 for update"));

static INSERT_REFUND: Query = Query::write(
    "commerce.insert_sandbox_refund",
    "insert into commerce_sandbox_refunds (key, tenant, charge_key, amount_minor, currency, reference, created_at) \
     values ($1, $2, $3, $4, $5, $6, $7)",
);

static REFUND: Query = Query::point(
    "commerce.sandbox_refund",
    "select key, charge_key, amount_minor, currency, reference from commerce_sandbox_refunds \
     where key = $1 and tenant = $2",
);

static REFUNDS_OF_CHARGE: Query = Query::point(
    "commerce.sandbox_refunds_of_charge",
    "select amount_minor from commerce_sandbox_refunds where charge_key = $1 and tenant = $2",
);

/// A charge in the ledger.
pub(super) struct Charge {
    pub(super) order: ChargeOrder,
    pub(super) reference: String,
    pub(super) outcome: Outcome,
}

/// A refund in the ledger.
pub(super) struct Refund {
    pub(super) key: Uuid,
    pub(super) charge: Uuid,
    pub(super) amount: Money,
    pub(super) reference: String,
}

/// Adds a charge, unless its key is there; whether it was added.
pub(super) async fn insert_charge(
    tx: &mut Transaction,
    tenant: &Tenant,
    charge: &Charge,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let ChargeOrder { key, order, amount, token } = &charge.order;
    let (authorization_code, decline_code) = match &charge.outcome {
        Outcome::Captured { authorization_code, .. } => (authorization_code.as_str(), ""),
        Outcome::Declined { code, .. } => ("", code.as_str()),
        // Such a charge is not in the ledger.
        Outcome::Unknown | Outcome::Unreachable => ("", DeclineCode::ProcessorError.as_str()),
    };
    let values = params![
        *key,
        tenant,
        *order,
        amount.minor,
        amount.currency.code(),
        token.expose(),
        charge.reference.as_str(),
        authorization_code,
        decline_code,
        now
    ];
    Ok(tx.row(&INSERT_CHARGE, values).await?.is_some())
}

/// The charge of a payment.
pub(super) async fn charge(
    tx: &mut Transaction,
    tenant: &Tenant,
    key: Uuid,
) -> Result<Option<Charge>, DatabaseError> {
    tx.row(&CHARGE, params![key, tenant]).await?.map(|row| charge_from(&row)).transpose()
}

/// The same, outside of a transaction.
pub(super) async fn find_charge(
    read: &Read<'_>,
    tenant: &Tenant,
    key: Uuid,
) -> Result<Option<Charge>, DatabaseError> {
    read.row(&CHARGE, params![key, tenant]).await?.map(|row| charge_from(&row)).transpose()
}

/// Locks a charge until the transaction ends.
pub(super) async fn lock_charge(
    tx: &mut Transaction,
    tenant: &Tenant,
    reference: &str,
) -> Result<Option<Charge>, DatabaseError> {
    tx.row(&LOCK_CHARGE, params![reference, tenant]).await?.map(|row| charge_from(&row)).transpose()
}

/// Adds a refund of a locked charge.
pub(super) async fn insert_refund(
    tx: &mut Transaction,
    tenant: &Tenant,
    refund: &Refund,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let Refund { key, charge, amount, reference } = refund;
    let values =
        params![*key, tenant, *charge, amount.minor, amount.currency.code(), reference.as_str(), now];
    tx.execute(&INSERT_REFUND, values).await.map(drop)
}

/// The refund of this key.
pub(super) async fn refund(
    tx: &mut Transaction,
    tenant: &Tenant,
    key: Uuid,
) -> Result<Option<Refund>, DatabaseError> {
    tx.row(&REFUND, params![key, tenant]).await?.map(|row| refund_from(&row)).transpose()
}

/// The same, outside of a transaction.
pub(super) async fn find_refund(
    read: &Read<'_>,
    tenant: &Tenant,
    key: Uuid,
) -> Result<Option<Refund>, DatabaseError> {
    read.row(&REFUND, params![key, tenant]).await?.map(|row| refund_from(&row)).transpose()
}

/// How much of a charge was given back, in the smallest unit.
pub(super) async fn refunded(
    tx: &mut Transaction,
    tenant: &Tenant,
    charge: Uuid,
) -> Result<i64, DatabaseError> {
    let rows = tx.rows(&REFUNDS_OF_CHARGE, params![charge, tenant]).await?;
    rows.iter().try_fold(0_i64, |sum, row| Ok(sum.saturating_add(row.get::<i64>("amount_minor")?)))
}

fn charge_from(row: &Row) -> Result<Charge, DatabaseError> {
    let order = ChargeOrder {
        key: row.get("key")?,
        order: row.get("order_id")?,
        amount: money_from(row)?,
        token: row.parsed("token", "a token", MethodToken::parse)?,
    };
    let (reference, authorization_code): (String, String) =
        (row.get("reference")?, row.get("authorization_code")?);
    let outcome = match row.get::<String>("decline_code")?.as_str() {
        "" => Outcome::Captured { reference: reference.clone(), authorization_code },
        _ => row.parsed("decline_code", "a code", DeclineCode::parse)?.declined(),
    };
    Ok(Charge { order, reference, outcome })
}

fn refund_from(row: &Row) -> Result<Refund, DatabaseError> {
    Ok(Refund {
        key: row.get("key")?,
        charge: row.get("charge_key")?,
        amount: money_from(row)?,
        reference: row.get("reference")?,
    })
}

fn money_from(row: &Row) -> Result<Money, DatabaseError> {
    let currency = row.parsed("currency", "a currency", Currency::stored)?;
    Ok(Money::new(row.get("amount_minor")?, currency))
}
