//! Every statement about orders, beside the rows that it reads.

pub(crate) mod lists;

use pando_service::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::domain::order::{OrderStep, SoldLine, Stored};
use super::domain::status::{OrderStatus, Step};
use crate::domain::money::{Currency, Money};
use crate::payments::domain::means::Chosen;

macro_rules! columns {
    () => {
        "id, user_id, status, step, currency, total_minor, address, notes, method, risk, payment_id, tracking, reason, \
         version, created_at, updated_at, expires_at"
    };
}
pub(super) use columns;

static FIND: Query = Query::point(
    "commerce.order",
    concat!("select ", columns!(), " from commerce_orders where id = $1 and tenant = $2"),
);

static LOCK: Query = Query::point(
    "commerce.lock_order",
    concat!("select ", columns!(), " from commerce_orders where id = $1 and tenant = $2 for update"),
);

static LINES: Query = Query::scan(
    "commerce.order_lines",
    "select order_id, product_id, name, price_minor, quantity, image_url from commerce_order_lines \
     where order_id = any($1) and tenant = $2 order by order_id, place",
);

static HISTORY: Query = Query::scan(
    "commerce.order_history",
    "select from_status, to_status, reason, actor, created_at from commerce_order_history \
     where order_id = $1 and tenant = $2 order by version",
);

static UPDATE: Query = Query::write(
    "commerce.update_order",
    "update commerce_orders set status = $3, step = $4, risk = $5, payment_id = $6, tracking = $7, reason = $8, version = $9, \
     updated_at = $10 where id = $1 and tenant = $2",
);

static WAITING: Query = Query::point(
    "commerce.waiting_orders",
    "select count(*) from commerce_orders where tenant = $1 and user_id = $2 and status = 'PENDING'",
);

static INSERT: BulkInsert = BulkInsert {
    name: "commerce.insert_order",
    table: "commerce_orders",
    columns: &[
        ("id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("user_id", ColumnType::Text),
        ("status", ColumnType::Text),
        ("step", ColumnType::Text),
        ("currency", ColumnType::Text),
        ("total_minor", ColumnType::Bigint),
        ("address", ColumnType::Json),
        ("notes", ColumnType::Text),
        ("method", ColumnType::Json),
        ("risk", ColumnType::Json),
        ("payment_id", ColumnType::Uuid),
        ("tracking", ColumnType::Text),
        ("reason", ColumnType::Text),
        ("version", ColumnType::Bigint),
        ("created_at", ColumnType::Timestamp),
        ("updated_at", ColumnType::Timestamp),
        ("expires_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

static INSERT_LINES: BulkInsert = BulkInsert {
    name: "commerce.insert_order_lines",
    table: "commerce_order_lines",
    columns: &[
        ("order_id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("place", ColumnType::Bigint),
        ("product_id", ColumnType::Uuid),
        ("name", ColumnType::Text),
        ("price_minor", ColumnType::Bigint),
        ("quantity", ColumnType::Bigint),
        ("image_url", ColumnType::Text),
    ],
    on_conflict: OnConflict::Fail,
    key: "order_id",
};

static RECORD: BulkInsert = BulkInsert {
    name: "commerce.insert_order_history",
    table: "commerce_order_history",
    columns: &[
        ("order_id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("version", ColumnType::Bigint),
        ("from_status", ColumnType::Text),
        ("to_status", ColumnType::Text),
        ("reason", ColumnType::Text),
        ("actor", ColumnType::Text),
        ("created_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "order_id",
};

/// A step of an order, as the history keeps it.
pub(crate) struct Recorded<'a> {
    pub(crate) from: Option<OrderStatus>,
    pub(crate) reason: &'a str,
    pub(crate) actor: &'a str,
}

/// An order.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Stored>, DatabaseError> {
    read.row(&FIND, params![id, tenant]).await?.as_ref().map(stored).transpose()
}

/// An order, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Stored>, DatabaseError> {
    tx.row(&LOCK, params![id, tenant]).await?.as_ref().map(stored).transpose()
}

/// The lines of some orders, each with the order that it belongs to.
pub(crate) async fn lines(
    read: &Read<'_>,
    tenant: &Tenant,
    orders: Vec<Uuid>,
) -> Result<Vec<(Uuid, SoldLine)>, DatabaseError> {
    read.rows(&LINES, params![orders, tenant]).await?.iter().map(line).collect()
}

/// The lines of an order, within a transaction.
pub(crate) async fn lines_of(
    tx: &mut Transaction,
    tenant: &Tenant,
    order: Uuid,
) -> Result<Vec<SoldLine>, DatabaseError> {
    let rows = tx.rows(&LINES, params![vec![order], tenant]).await?;
    rows.iter().map(|row| Ok(line(row)?.1)).collect()
}

/// Every state that an order went through.
pub(crate) async fn history(
    read: &Read<'_>,
    tenant: &Tenant,
    order: Uuid,
) -> Result<Vec<OrderStep>, DatabaseError> {
    let step = |row: &Row| {
        Ok(OrderStep {
            from: OrderStatus::parse(&row.get::<String>(0)?),
            to: row.parsed(1, "a status", OrderStatus::parse)?,
            reason: row.get(2)?,
            actor: row.get(3)?,
            at: row.get(4)?,
        })
    };
    read.rows(&HISTORY, params![order, tenant]).await?.iter().map(step).collect()
}

/// How many orders of a buyer wait to be paid.
pub(crate) async fn waiting(tx: &mut Transaction, tenant: &Tenant, user: &str) -> Result<i64, DatabaseError> {
    tx.row(&WAITING, params![tenant, user]).await?.map_or(Ok(0), |row| row.get(0))
}

/// Adds an order.
pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: &Tenant,
    (order, lines): (&Stored, &[SoldLine]),
) -> Result<(), DatabaseError> {
    let row = params![
        order.id,
        tenant,
        order.user.as_str(),
        order.status.as_str(),
        order.step.as_str(),
        order.total.currency.code(),
        order.total.minor,
        order.address.clone(),
        order.notes.as_str(),
        order.method.as_ref().map(Chosen::kept),
        risk(order),
        order.payment,
        order.tracking.as_str(),
        order.reason.as_str(),
        order.version,
        order.created_at,
        order.updated_at,
        order.expires_at
    ];
    tx.insert_later(&INSERT, row);
    let row = |(place, line): (usize, &SoldLine)| {
        let SoldLine { product, name, price_minor, quantity, image_url } = line;
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        params![
            order.id,
            tenant,
            place,
            *product,
            name.as_str(),
            *price_minor,
            *quantity,
            image_url.as_deref()
        ]
    };
    if let [line] = lines {
        tx.insert_later(&INSERT_LINES, row((0, line)));
        return Ok(());
    }
    let rows = lines.iter().enumerate().map(|line| row(line).into()).collect();
    tx.bulk_insert(&INSERT_LINES, rows).await.map(drop)
}

/// Writes a locked order. Its lines, its buyer and its price never change.
pub(crate) fn update(tx: &mut Transaction, tenant: &Tenant, order: &Stored) {
    tx.execute_later(
        &UPDATE,
        params![
            order.id,
            tenant,
            order.status.as_str(),
            order.step.as_str(),
            risk(order),
            order.payment,
            order.tracking.as_str(),
            order.reason.as_str(),
            order.version,
            order.updated_at
        ],
    );
}

/// Adds the state of an order to its history.
pub(crate) fn record(tx: &mut Transaction, tenant: &Tenant, order: &Stored, step: &Recorded<'_>) {
    let from = step.from.map_or("", OrderStatus::as_str);
    let row = params![
        order.id,
        tenant,
        order.version,
        from,
        order.status.as_str(),
        step.reason,
        step.actor,
        order.updated_at
    ];
    tx.insert_later(&RECORD, row);
}

fn risk(order: &Stored) -> Option<Value> {
    Some(order.risk.clone()).filter(|risk| !risk.is_null())
}

pub(super) fn stored(row: &Row) -> Result<Stored, DatabaseError> {
    let currency = row.parsed("currency", "a currency", Currency::stored)?;
    let method: Option<Json<Value>> = row.get("method")?;
    let risk: Option<Json<Value>> = row.get("risk")?;
    Ok(Stored {
        id: row.get("id")?,
        user: row.get("user_id")?,
        status: row.parsed("status", "a status", OrderStatus::parse)?,
        step: row.parsed("step", "a step", Step::parse)?,
        total: Money::new(row.get("total_minor")?, currency),
        address: row.get::<Json<Value>>("address")?.0,
        notes: row.get("notes")?,
        method: method.and_then(|Json(method)| Chosen::stored(&method)),
        risk: risk.map_or(Value::Null, |Json(risk)| risk),
        payment: row.get("payment_id")?,
        tracking: row.get("tracking")?,
        reason: row.get("reason")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        expires_at: row.get("expires_at")?,
    })
}

fn line(row: &Row) -> Result<(Uuid, SoldLine), DatabaseError> {
    let line = SoldLine {
        product: row.get("product_id")?,
        name: row.get("name")?,
        price_minor: row.get("price_minor")?,
        quantity: row.get("quantity")?,
        image_url: row.get("image_url")?,
    };
    Ok((row.get("order_id")?, line))
}
