//! Every statement about carts, beside the rows that it reads.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::buyer::Buyer;
use super::domain::contents::{Offer, StoredLine};
use super::domain::wish::Wish;
use crate::domain::money::{Currency, Money};

macro_rules! offered {
    () => {
        "p.id as product_id, p.name, p.price_minor, p.currency, p.image_urls, p.active, p.deleted_at, s.available"
    };
}

macro_rules! lines {
    ($and:literal) => {
        concat!(
            "select ",
            offered!(),
            ", l.quantity, l.notes, l.created_at, l.updated_at from commerce_cart_lines l \
             join commerce_products p on p.id = l.product_id and p.tenant = l.tenant \
             join commerce_stock s on s.product_id = l.product_id and s.tenant = l.tenant \
             where l.cart_id = $1 and l.tenant = $2",
            $and
        )
    };
}

/// The row is locked until the transaction ends, whether it was there or not. It still says when the cart expires, or did.
static HOLD: Query = Query::write(
    "commerce.hold_cart",
    "insert into commerce_carts (id, tenant, owner, units, currency, version, created_at, updated_at, expires_at) \
     values ($1, $2, $3, 0, '', 0, $4, $4, $5) on conflict (id, tenant) do update set updated_at = excluded.updated_at \
     returning units, currency, version, created_at, expires_at",
);

static LOCK: Query = Query::point(
    "commerce.lock_cart",
    "select units, currency, version, created_at, expires_at from commerce_carts where id = $1 and tenant = $2 for update",
);

static SAVE: Query = Query::write(
    "commerce.save_cart",
    "update commerce_carts set units = $3, currency = $4, version = $5, created_at = $6, updated_at = $7, expires_at = $8 \
     where id = $1 and tenant = $2",
);

static FIND: Query = Query::point(
    "commerce.cart",
    "select units, currency, version, created_at, updated_at, expires_at from commerce_carts \
     where id = $1 and tenant = $2 and expires_at > $3",
);

static LINES: Query = Query::scan("commerce.cart_lines", lines!(" order by l.created_at, l.product_id"));

static LINE: Query = Query::point("commerce.cart_line", lines!(" and l.product_id = $3"));

static OFFERS: Query = Query::scan(
    "commerce.cart_offers",
    concat!(
        "select ",
        offered!(),
        " from commerce_products p join commerce_stock s on s.product_id = p.id and s.tenant = p.tenant \
         where p.id = any($1) and p.tenant = $2 and p.deleted_at is null"
    ),
);

static PUT_LINE: Query = Query::write(
    "commerce.put_cart_line",
    "insert into commerce_cart_lines (cart_id, tenant, product_id, quantity, notes, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, $6, $6) on conflict (cart_id, tenant, product_id) \
     do update set quantity = excluded.quantity, notes = excluded.notes, updated_at = excluded.updated_at",
);

static REMOVE_LINE: Query = Query::write(
    "commerce.remove_cart_line",
    "delete from commerce_cart_lines where cart_id = $1 and tenant = $2 and product_id = $3",
);

static REMOVE_LINES: Query = Query::write(
    "commerce.remove_cart_lines",
    "delete from commerce_cart_lines where cart_id = $1 and tenant = $2",
);

static REMOVE: Query =
    Query::write("commerce.remove_cart", "delete from commerce_carts where id = $1 and tenant = $2");

/// Carts that somebody is changing at this moment are left alone.
static EXPIRED: Query = Query::write(
    "commerce.expired_carts",
    "select id, tenant from commerce_carts where expires_at <= $1 order by expires_at, id limit $2 \
     for update skip locked",
);

/// A cart that its transaction has locked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) id: Uuid,
    pub(crate) units: i64,
    /// Of its lines; none if there is no line.
    pub(crate) currency: Option<Currency>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
}

/// A cart as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) held: Held,
    pub(crate) updated_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Locks the cart of a buyer, which is made if it is not there. One that has expired is empty.
pub(crate) async fn hold(
    tx: &mut Transaction,
    tenant: &Tenant,
    buyer: &Buyer,
    (now, until): (Timestamp, Timestamp),
) -> Result<Held, DatabaseError> {
    let id = buyer.cart();
    let row = tx.row(&HOLD, params![id, tenant, buyer.as_str(), now, until]).await?;
    let fresh = Held { id, units: 0, currency: None, version: 0, created_at: now };
    let Some(row) = row else { return Ok(fresh) };
    let held = held(&row, id)?;
    if row.get::<Timestamp>("expires_at")? <= now {
        remove_lines(tx, tenant, id);
        return Ok(Held { version: held.version, ..fresh });
    }
    Ok(held)
}

/// Locks the cart of a buyer if it is there and has not expired.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    buyer: &Buyer,
    now: Timestamp,
) -> Result<Option<Held>, DatabaseError> {
    let Some(row) = tx.row(&LOCK, params![buyer.cart(), tenant]).await? else { return Ok(None) };
    let is_there = row.get::<Timestamp>("expires_at")? > now;
    is_there.then(|| held(&row, buyer.cart())).transpose()
}

/// Writes the row of a cart that the transaction holds.
pub(crate) fn save(tx: &mut Transaction, tenant: &Tenant, cart: &Held, (now, until): (Timestamp, Timestamp)) {
    let currency = cart.currency.as_ref().map_or("", Currency::code);
    let row = params![cart.id, tenant, cart.units, currency, cart.version, cart.created_at, now, until];
    tx.execute_later(&SAVE, row);
}

/// The cart of a buyer, if it has one that has not expired.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    buyer: &Buyer,
    now: Timestamp,
) -> Result<Option<Found>, DatabaseError> {
    let Some(row) = read.row(&FIND, params![buyer.cart(), tenant, now]).await? else { return Ok(None) };
    let held = held(&row, buyer.cart())?;
    Ok(Some(Found { held, updated_at: row.get("updated_at")?, expires_at: row.get("expires_at")? }))
}

/// The lines of a cart, in the order in which they were added.
pub(crate) async fn lines(
    read: &Read<'_>,
    tenant: &Tenant,
    cart: Uuid,
) -> Result<Vec<StoredLine>, DatabaseError> {
    read.rows(&LINES, params![cart, tenant]).await?.iter().map(stored_line).collect()
}

/// The same, of a cart that the transaction holds.
pub(crate) async fn held_lines(
    tx: &mut Transaction,
    tenant: &Tenant,
    cart: Uuid,
) -> Result<Vec<StoredLine>, DatabaseError> {
    tx.rows(&LINES, params![cart, tenant]).await?.iter().map(stored_line).collect()
}

/// One line of a cart that the transaction holds.
pub(crate) async fn line(
    tx: &mut Transaction,
    tenant: &Tenant,
    (cart, product): (Uuid, Uuid),
) -> Result<Option<StoredLine>, DatabaseError> {
    tx.row(&LINE, params![cart, tenant, product]).await?.as_ref().map(stored_line).transpose()
}

/// Those of these products that are not deleted.
pub(crate) async fn offers(
    tx: &mut Transaction,
    tenant: &Tenant,
    products: Vec<Uuid>,
) -> Result<Vec<Offer>, DatabaseError> {
    tx.rows(&OFFERS, params![products, tenant]).await?.iter().map(offer).collect()
}

/// Writes one line of a cart, over the one that it has of this product.
pub(crate) fn put_line(tx: &mut Transaction, tenant: &Tenant, cart: Uuid, (wish, now): (&Wish, Timestamp)) {
    let notes = wish.notes.as_deref().unwrap_or_default();
    tx.execute_later(&PUT_LINE, params![cart, tenant, wish.product, wish.quantity, notes, now]);
}

/// Takes a line out of a cart.
pub(crate) fn remove_line(tx: &mut Transaction, tenant: &Tenant, (cart, product): (Uuid, Uuid)) {
    tx.execute_later(&REMOVE_LINE, params![cart, tenant, product]);
}

/// Takes all lines out of a cart.
pub(crate) fn remove_lines(tx: &mut Transaction, tenant: &Tenant, cart: Uuid) {
    tx.execute_later(&REMOVE_LINES, params![cart, tenant]);
}

/// Deletes a cart that the transaction has locked.
pub(crate) fn remove(tx: &mut Transaction, tenant: &Tenant, cart: Uuid) {
    remove_lines(tx, tenant, cart);
    tx.execute_later(&REMOVE, params![cart, tenant]);
}

/// Locks some carts that have expired.
pub(crate) async fn expired(
    tx: &mut Transaction,
    now: Timestamp,
    count: usize,
) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    let rows = tx.rows(&EXPIRED, params![now, i64::try_from(count).unwrap_or(i64::MAX)]).await?;
    rows.iter().map(|row| Ok((Tenant::stored(&row.get::<String>(1)?), row.get(0)?))).collect()
}

fn held(row: &Row, id: Uuid) -> Result<Held, DatabaseError> {
    Ok(Held {
        id,
        units: row.get("units")?,
        currency: row.parsed("currency", "a currency, or none", of_lines)?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
    })
}

/// The currency of all lines of a cart; none while there is no line.
fn of_lines(code: &str) -> Option<Option<Currency>> {
    if code.is_empty() { Some(None) } else { Currency::stored(code).map(Some) }
}

fn stored_line(row: &Row) -> Result<StoredLine, DatabaseError> {
    Ok(StoredLine {
        offer: offer(row)?,
        quantity: row.get("quantity")?,
        notes: row.get("notes")?,
        added_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn offer(row: &Row) -> Result<Offer, DatabaseError> {
    let currency = row.parsed("currency", "a currency", Currency::stored)?;
    Ok(Offer {
        product: row.get("product_id")?,
        name: row.get("name")?,
        price: Money::new(row.get("price_minor")?, currency),
        image_url: row.get::<Json<Vec<String>>>("image_urls")?.0.into_iter().next(),
        is_offered: row.get::<bool>("active")? && row.get::<Option<Timestamp>>("deleted_at")?.is_none(),
        available: row.get("available")?,
    })
}
