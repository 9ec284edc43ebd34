//! Every statement about reservations, beside the rows that it reads.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::inventory::domain::reservation::{Line, Reservation, ReservationStatus};

macro_rules! selected {
    ($where:literal) => {
        concat!(
            "select r.id, r.order_id, r.user_id, r.status, r.created_at, r.expires_at, l.product_id, l.quantity \
             from commerce_reservations r join commerce_reservation_lines l \
             on l.reservation_id = r.id and l.tenant = r.tenant where ",
            $where,
            " order by r.id, l.product_id"
        )
    };
}

/// The latest reservation of an order.
static OF_ORDER: Query = Query::scan(
    "commerce.reservation_of_order",
    selected!(
        "r.tenant = $1 and r.id = (select id from commerce_reservations where tenant = $1 and order_id = $2 \
         order by created_at desc, id desc limit 1)"
    ),
);

static LOCK: Query = Query::point(
    "commerce.lock_reservation",
    "select status from commerce_reservations where id = $1 and tenant = $2 for update",
);

static SET_STATUS: Query = Query::write(
    "commerce.set_reservation_status",
    "update commerce_reservations set status = $3, updated_at = $4 where id = $1 and tenant = $2",
);

static KEEP: Query = Query::write(
    "commerce.keep_reservation",
    "update commerce_reservations set expires_at = $3 where id = $1 and tenant = $2 and status = 'RESERVED'",
);

/// Another process may be at work on some of them: those are left to it.
static EXPIRED: Query = Query::scan(
    "commerce.expired_reservations",
    "select tenant, order_id from commerce_reservations where status = 'RESERVED' and expires_at <= $1 \
     order by expires_at, id limit $2",
);

static INSERT: BulkInsert = BulkInsert {
    name: "commerce.insert_reservation",
    table: "commerce_reservations",
    columns: &[
        ("id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("order_id", ColumnType::Uuid),
        ("user_id", ColumnType::Text),
        ("status", ColumnType::Text),
        ("created_at", ColumnType::Timestamp),
        ("expires_at", ColumnType::Timestamp),
        ("updated_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

static INSERT_LINES: BulkInsert = BulkInsert {
    name: "commerce.insert_reservation_lines",
    table: "commerce_reservation_lines",
    columns: &[
        ("reservation_id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("product_id", ColumnType::Uuid),
        ("quantity", ColumnType::Bigint),
    ],
    on_conflict: OnConflict::Fail,
    key: "reservation_id",
};

/// The latest reservation of an order.
pub(crate) async fn of_order(
    tx: &mut Transaction,
    tenant: &Tenant,
    order: Uuid,
) -> Result<Option<Reservation>, DatabaseError> {
    assembled(&tx.rows(&OF_ORDER, params![tenant, order]).await?)
}

fn assembled(rows: &[Row]) -> Result<Option<Reservation>, DatabaseError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let line = |row: &Row| Ok(Line { product: row.get("product_id")?, quantity: row.get("quantity")? });
    Ok(Some(Reservation {
        id: first.get("id")?,
        order: first.get("order_id")?,
        user: first.get("user_id")?,
        status: first.parsed("status", "a status", ReservationStatus::parse)?,
        lines: rows.iter().map(line).collect::<Result<_, DatabaseError>>()?,
        created_at: first.get("created_at")?,
        expires_at: first.get("expires_at")?,
    }))
}

/// Locks a reservation until the transaction ends; where it stands.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<ReservationStatus>, DatabaseError> {
    let row = tx.row(&LOCK, params![id, tenant]).await?;
    row.map(|row| row.parsed(0, "a status", ReservationStatus::parse)).transpose()
}

/// Adds a reservation.
pub(crate) fn insert(tx: &mut Transaction, tenant: &Tenant, reservation: &Reservation) {
    let Reservation { id, order, user, status, lines, created_at, expires_at } = reservation;
    let row =
        params![*id, tenant, *order, user.as_str(), status.as_str(), *created_at, *expires_at, *created_at];
    tx.insert_later(&INSERT, row);
    for line in lines {
        tx.insert_later(&INSERT_LINES, params![*id, tenant, line.product, line.quantity]);
    }
}

/// Says where a locked reservation stands since now.
pub(crate) fn set_status(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
    (status, now): (ReservationStatus, Timestamp),
) {
    tx.execute_later(&SET_STATUS, params![id, tenant, status.as_str(), now]);
}

/// Keeps the units of a locked reservation until another moment.
pub(crate) fn keep(tx: &mut Transaction, tenant: &Tenant, id: Uuid, until: Timestamp) {
    tx.execute_later(&KEEP, params![id, tenant, until]);
}

/// The orders of some reservations whose time is up.
pub(crate) async fn expired(
    read: &Read<'_>,
    now: Timestamp,
    count: usize,
) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    let rows = read.rows(&EXPIRED, params![now, i64::try_from(count).unwrap_or(i64::MAX)]).await?;
    rows.iter().map(|row| Ok((Tenant::stored(&row.get::<String>(0)?), row.get(1)?))).collect()
}
