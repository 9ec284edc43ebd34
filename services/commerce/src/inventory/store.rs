//! Every statement about stock and its movements, beside the rows that it reads.

pub(crate) mod levels;
pub(crate) mod reservations;

use std::collections::BTreeMap;

use pando_database::BatchQuery;
use pando_service::prelude::*;
use uuid::Uuid;

/// In the order of their ids, so that two orders with the same products never wait for each other.
static LOCK: Query = Query::scan(
    "commerce.lock_stock",
    "select product_id, available, reserved, reorder_point, version from commerce_stock \
     where product_id = any($1) and tenant = $2 order by product_id for update",
);

static INSERT: BulkInsert = BulkInsert {
    name: "commerce.insert_stock",
    table: "commerce_stock",
    columns: &[
        ("product_id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("available", ColumnType::Bigint),
        ("reserved", ColumnType::Bigint),
        ("reorder_point", ColumnType::Bigint),
        ("version", ColumnType::Bigint),
        ("updated_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "product_id",
};

static UPDATE: BatchQuery = BatchQuery {
    name: "commerce.update_stock",
    columns: &[
        ("product_id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("available", ColumnType::Bigint),
        ("reserved", ColumnType::Bigint),
        ("version", ColumnType::Bigint),
        ("updated_at", ColumnType::Timestamp),
    ],
    sql: "update commerce_stock set available = batch.available, reserved = batch.reserved, version = batch.version, \
          updated_at = batch.updated_at from batch where commerce_stock.product_id = batch.product_id \
          and commerce_stock.tenant = batch.tenant",
};

static SET_REORDER_POINT: Query = Query::write(
    "commerce.set_reorder_point",
    "update commerce_stock set reorder_point = $3, version = $4, updated_at = $5 where product_id = $1 and tenant = $2",
);

static IN_STOCK: Query = Query::write(
    "commerce.in_stock",
    "update commerce_products set in_stock = $3 where id = $1 and tenant = $2",
);

static OFFERED: Query = Query::scan(
    "commerce.offered_products",
    "select id from commerce_products where id = any($1) and tenant = $2 and active and deleted_at is null",
);

static NAMES: Query = Query::scan(
    "commerce.product_names",
    "select id, name from commerce_products where id = any($1) and tenant = $2",
);

static MOVEMENTS: BulkInsert = BulkInsert {
    name: "commerce.insert_movements",
    table: "commerce_movements",
    columns: &[
        ("id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("product_id", ColumnType::Uuid),
        ("kind", ColumnType::Text),
        ("quantity", ColumnType::Bigint),
        ("available_before", ColumnType::Bigint),
        ("available_after", ColumnType::Bigint),
        ("reserved_before", ColumnType::Bigint),
        ("reserved_after", ColumnType::Bigint),
        ("cause", ColumnType::Uuid),
        ("reason", ColumnType::Text),
        ("actor", ColumnType::Text),
        ("created_at", ColumnType::Timestamp),
        ("version", ColumnType::Bigint),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

/// The stock of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stock {
    pub(crate) product: Uuid,
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) reorder_point: i64,
    pub(crate) version: i64,
}

/// One movement, as the ledger keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Movement {
    pub(crate) id: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) quantity: i64,
    pub(crate) before: Stock,
    pub(crate) after: Stock,
    pub(crate) cause: Option<Uuid>,
    pub(crate) reason: String,
}

/// The stock of these products, locked until the transaction ends. Products that have none are absent.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    products: Vec<Uuid>,
) -> Result<Vec<Stock>, DatabaseError> {
    let stock = |row: &Row| {
        Ok(Stock {
            product: row.get(0)?,
            available: row.get(1)?,
            reserved: row.get(2)?,
            reorder_point: row.get(3)?,
            version: row.get(4)?,
        })
    };
    tx.rows(&LOCK, params![products, tenant]).await?.iter().map(stock).collect()
}

/// Those of these products that are offered.
pub(crate) async fn offered(
    tx: &mut Transaction,
    tenant: &Tenant,
    products: Vec<Uuid>,
) -> Result<Vec<Uuid>, DatabaseError> {
    tx.rows(&OFFERED, params![products, tenant]).await?.iter().map(|row| row.get(0)).collect()
}

/// The names of these products, deleted ones too.
pub(crate) async fn names(
    tx: &mut Transaction,
    tenant: &Tenant,
    products: Vec<Uuid>,
) -> Result<BTreeMap<Uuid, String>, DatabaseError> {
    let rows = tx.rows(&NAMES, params![products, tenant]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Adds the stock of new products.
pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: &Tenant,
    stock: &[Stock],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let row = |stock: &Stock| {
        params![
            stock.product,
            tenant,
            stock.available,
            stock.reserved,
            stock.reorder_point,
            stock.version,
            now
        ]
    };
    if let [stock] = stock {
        tx.insert_later(&INSERT, row(stock));
        return Ok(());
    }
    tx.bulk_insert(&INSERT, stock.iter().map(|stock| row(stock).into()).collect()).await.map(drop)
}

/// Writes the stock of locked products.
pub(crate) async fn update(
    tx: &mut Transaction,
    tenant: &Tenant,
    stock: &[Stock],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let row = |stock: &Stock| {
        params![stock.product, tenant, stock.available, stock.reserved, stock.version, now].into()
    };
    tx.batch(&UPDATE, stock.iter().map(row).collect()).await.map(drop)
}

/// Writes the reorder point of locked stock.
pub(crate) fn set_reorder_point(tx: &mut Transaction, tenant: &Tenant, stock: &Stock, now: Timestamp) {
    tx.execute_later(
        &SET_REORDER_POINT,
        params![stock.product, tenant, stock.reorder_point, stock.version, now],
    );
}

/// Says in the catalog whether a product can be sold.
pub(crate) fn set_in_stock(tx: &mut Transaction, tenant: &Tenant, product: Uuid, in_stock: bool) {
    tx.execute_later(&IN_STOCK, params![product, tenant, in_stock]);
}

/// Adds movements to the ledger.
pub(crate) async fn record(
    tx: &mut Transaction,
    (tenant, actor): (&Tenant, &str),
    movements: &[Movement],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let row = |movement: &Movement| {
        let Movement { id, kind, quantity, before, after, cause, reason } = movement;
        params![
            *id,
            tenant,
            after.product,
            *kind,
            *quantity,
            before.available,
            after.available,
            before.reserved,
            after.reserved,
            *cause,
            reason.as_str(),
            actor,
            now,
            after.version
        ]
    };
    if let [movement] = movements {
        tx.insert_later(&MOVEMENTS, row(movement));
        return Ok(());
    }
    tx.bulk_insert(&MOVEMENTS, movements.iter().map(|movement| row(movement).into()).collect())
        .await
        .map(drop)
}
