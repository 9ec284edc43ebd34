//! Statements that show the stock and its movements, beside the rows that they read.

use pando_service::Page;
use pando_service::prelude::*;
use uuid::Uuid;

use crate::inventory::domain::stock::{MovementShown, StockLevel};

static LEVEL: Query = Query::point(
    "commerce.stock_level",
    "select p.name, s.available, s.reserved, s.reorder_point, s.version from commerce_stock s \
     join commerce_products p on p.id = s.product_id and p.tenant = s.tenant \
     where s.product_id = $1 and s.tenant = $2 and p.deleted_at is null",
);

static MOVEMENTS: List = List {
    name: "commerce.movements",
    select: "select id, kind, quantity, available_before, available_after, reserved_before, reserved_after, cause, reason, \
             actor, created_at, version from commerce_movements",
    rows: "true",
};

static COUNT: List = List {
    name: "commerce.count_movements",
    select: "select count(*) from (select 1 from commerce_movements",
    ..MOVEMENTS
};

/// How far movements are counted.
const COUNT_MAX: usize = 10_000;

/// The latest first.
const LATEST: Order = Order { name: "-version", column: "version", kind: KeyKind::Integer, descending: true };

/// The stock of a product that is not deleted.
pub(crate) async fn level(
    read: &Read<'_>,
    tenant: &Tenant,
    product: Uuid,
) -> Result<Option<StockLevel>, DatabaseError> {
    let Some(row) = read.row(&LEVEL, params![product, tenant]).await? else { return Ok(None) };
    let (available, reserved): (i64, i64) = (row.get(1)?, row.get(2)?);
    let reorder_point = row.get(3)?;
    Ok(Some(StockLevel {
        product_id: product,
        product_name: row.get(0)?,
        available,
        reserved,
        total: available + reserved,
        reorder_point,
        low_stock: available <= reorder_point,
        version: row.get(4)?,
    }))
}

/// A page of the movements of a product, the latest first.
pub(crate) async fn movements(
    read: &Read<'_>,
    tenant: &Tenant,
    product: Uuid,
    (after, offset, size): (Option<&PageEnd>, usize, usize),
) -> Result<Page<MovementShown>, DatabaseError> {
    let after = after.and_then(|end| end.place_in(tenant, &LATEST));
    let list = MOVEMENTS.of(tenant).filter("product_id = $1", params![product]);
    let rows = list.rows(read, &LATEST, after, offset + size + 1).await?;
    let shown: Vec<MovementShown> = rows.iter().skip(offset).map(shown).collect::<Result<_, _>>()?;
    let place = |one: &MovementShown| Place { key: SortKey::Integer(one.version), id: one.id };
    Ok(Page::cut(shown, size, (tenant, &LATEST), place))
}

/// How many movements a product has, but at most [`COUNT_MAX`].
pub(crate) async fn count_movements(
    read: &Read<'_>,
    tenant: &Tenant,
    product: Uuid,
) -> Result<u64, DatabaseError> {
    COUNT.of(tenant).filter("product_id = $1", params![product]).count(read, COUNT_MAX).await
}

fn shown(row: &Row) -> Result<MovementShown, DatabaseError> {
    Ok(MovementShown {
        id: row.get("id")?,
        kind: row.get("kind")?,
        quantity: row.get("quantity")?,
        available_before: row.get("available_before")?,
        available_after: row.get("available_after")?,
        reserved_before: row.get("reserved_before")?,
        reserved_after: row.get("reserved_after")?,
        cause: row.get("cause")?,
        reason: row.get("reason")?,
        actor: row.get("actor")?,
        created_at: row.get("created_at")?,
        version: row.get("version")?,
    })
}
