//! Lists of payments.

use pando_service::Page;
use pando_service::prelude::*;
use uuid::Uuid;

use super::{columns, stored};
use crate::payments::domain::payment::{PaymentStatus, Stored};

static PAYMENTS: List = List {
    name: "commerce.payments",
    select: concat!("select ", columns!(), " from commerce_payments"),
    rows: "true",
};

static COUNT: List = List {
    name: "commerce.count_payments",
    select: "select count(*) from (select 1 from commerce_payments",
    ..PAYMENTS
};

/// How far payments are counted.
const COUNT_MAX: usize = 10_000;

/// The latest first.
const LATEST: Order =
    Order { name: "-createdAt", column: "created_at", kind: KeyKind::Time, descending: true };

/// The payments that a list has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Which<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) order: Option<Uuid>,
    pub(crate) status: Option<PaymentStatus>,
}

/// A page of payments, the latest first.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    which: Which<'_>,
    (after, offset, size): (Option<&PageEnd>, usize, usize),
) -> Result<Page<Stored>, DatabaseError> {
    let after = after.and_then(|end| end.place_in(tenant, &LATEST));
    let rows = which.of(&PAYMENTS, tenant).rows(read, &LATEST, after, offset + size + 1).await?;
    let payments: Vec<Stored> = rows.iter().skip(offset).map(stored).collect::<Result<_, _>>()?;
    let place = |one: &Stored| Place { key: SortKey::Time(one.created_at), id: one.id };
    Ok(Page::cut(payments, size, (tenant, &LATEST), place))
}

/// How many there are, but at most [`COUNT_MAX`].
pub(crate) async fn count(read: &Read<'_>, tenant: &Tenant, which: Which<'_>) -> Result<u64, DatabaseError> {
    which.of(&COUNT, tenant).count(read, COUNT_MAX).await
}

impl Which<'_> {
    fn of<'t>(&self, list: &List, tenant: &'t Tenant) -> pando_service::Listed<'t> {
        let mut listed = list.of(tenant);
        if let Some(user) = self.user {
            listed = listed.filter("user_id = $1", params![user]);
        }
        if let Some(order) = self.order {
            listed = listed.filter("order_id = $1", params![order]);
        }
        if let Some(status) = self.status {
            listed = listed.filter("status = $1", params![status.as_str()]);
        }
        listed
    }
}
