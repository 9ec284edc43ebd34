//! Lists of orders, and those whose time is up.

use pando_service::Page;
use pando_service::prelude::*;
use uuid::Uuid;

use super::{columns, stored};
use crate::orders::domain::order::Stored;
use crate::orders::domain::status::OrderStatus;

static ORDERS: List = List {
    name: "commerce.orders",
    select: concat!("select ", columns!(), " from commerce_orders"),
    rows: "true",
};

static COUNT: List = List {
    name: "commerce.count_orders",
    select: "select count(*) from (select 1 from commerce_orders",
    ..ORDERS
};

static EXPIRED: Query = Query::scan(
    "commerce.expired_orders",
    "select tenant, id from commerce_orders where status = 'PENDING' and expires_at <= $1 order by expires_at, id limit $2",
);

/// How far orders are counted.
const COUNT_MAX: usize = 10_000;

/// The latest first.
const LATEST: Order =
    Order { name: "-createdAt", column: "created_at", kind: KeyKind::Time, descending: true };

/// The orders that a list has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Which<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) status: Option<OrderStatus>,
}

/// A page of orders, the latest first.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    which: Which<'_>,
    (after, offset, size): (Option<&PageEnd>, usize, usize),
) -> Result<Page<Stored>, DatabaseError> {
    let after = after.and_then(|end| end.place_in(tenant, &LATEST));
    let rows = which.of(&ORDERS, tenant).rows(read, &LATEST, after, offset + size + 1).await?;
    let orders: Vec<Stored> = rows.iter().skip(offset).map(stored).collect::<Result<_, _>>()?;
    let place = |one: &Stored| Place { key: SortKey::Time(one.created_at), id: one.id };
    Ok(Page::cut(orders, size, (tenant, &LATEST), place))
}

/// How many there are, but at most [`COUNT_MAX`].
pub(crate) async fn count(read: &Read<'_>, tenant: &Tenant, which: Which<'_>) -> Result<u64, DatabaseError> {
    which.of(&COUNT, tenant).count(read, COUNT_MAX).await
}

/// Some orders that were not paid in time.
pub(crate) async fn expired(
    read: &Read<'_>,
    now: Timestamp,
    count: usize,
) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    let rows = read.rows(&EXPIRED, params![now, i64::try_from(count).unwrap_or(i64::MAX)]).await?;
    rows.iter().map(|row| Ok((Tenant::stored(&row.get::<String>(0)?), row.get(1)?))).collect()
}

impl Which<'_> {
    fn of<'t>(&self, list: &List, tenant: &'t Tenant) -> pando_service::Listed<'t> {
        let mut listed = list.of(tenant);
        if let Some(user) = self.user {
            listed = listed.filter("user_id = $1", params![user]);
        }
        if let Some(status) = self.status {
            listed = listed.filter("status = $1", params![status.as_str()]);
        }
        listed
    }
}
