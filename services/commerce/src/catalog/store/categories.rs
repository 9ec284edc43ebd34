//! Every statement about the tree of categories, beside the rows that it reads.

use pando_service::Page;
use pando_service::prelude::*;
use uuid::Uuid;

use crate::catalog::domain::category::{COUNT_MAX, Category, DEPTH_MAX};

/// Categories with the names above them, and the number of their products, of which `$3` are counted.
macro_rules! shown {
    ($where:literal) => {
        concat!(
            "select c.id, c.name, c.parent_id, c.version, c.created_at, c.updated_at, one.name as one, two.name as two, \
             three.name as three, four.name as four, (select count(*) from (select 1 from commerce_products p \
             where p.tenant = c.tenant and p.category_id = c.id and p.active and p.deleted_at is null limit $3) as counted) \
             as products from commerce_categories c \
             left join commerce_categories one on one.id = c.parent_id and one.tenant = c.tenant \
             left join commerce_categories two on two.id = one.parent_id and two.tenant = c.tenant \
             left join commerce_categories three on three.id = two.parent_id and three.tenant = c.tenant \
             left join commerce_categories four on four.id = three.parent_id and four.tenant = c.tenant where ",
            $where
        )
    };
}

static SHOWN: Query = Query::scan("commerce.shown_categories", shown!("c.id = any($1) and c.tenant = $2"));

static LIST: List = List {
    name: "commerce.categories",
    select: "select id, name_key from commerce_categories",
    rows: "true",
};

static COUNT: List = List {
    name: "commerce.count_categories",
    select: "select count(*) from (select 1 from commerce_categories",
    ..LIST
};

static COUNT_ALL: Query = Query::scan(
    "commerce.count_all_categories",
    "select count(*) from (select 1 from commerce_categories where tenant = $1 limit $2) as counted",
);

/// More than a shop has.
const CATEGORIES_COUNT_MAX: usize = 10_000;

/// By name, which no two have in common.
const BY_NAME: Order = Order { name: "name", column: "name_key", kind: KeyKind::Text, descending: false };

/// The row is locked until the transaction ends, whether it was there or not.
static HOLD_TREE: Query = Query::write(
    "commerce.hold_category_tree",
    "insert into commerce_category_trees (tenant, version) values ($1, 1) \
     on conflict (tenant) do update set version = commerce_category_trees.version + 1",
);

static LOCK: Query = Query::point(
    "commerce.lock_category",
    "select name, parent_id, version from commerce_categories where id = $1 and tenant = $2 for update",
);

/// A category and those above it, the lowest first.
static UP: Query = Query::scan(
    "commerce.categories_above",
    "with recursive up (id, parent_id, steps) as (select id, parent_id, 1 from commerce_categories \
     where id = $1 and tenant = $2 union all select c.id, c.parent_id, up.steps + 1 from commerce_categories c \
     join up on c.id = up.parent_id where c.tenant = $2 and up.steps < $3) select id from up order by steps",
);

/// A category and those below it, the highest first.
static BELOW: Query = Query::scan(
    "commerce.categories_below",
    "with recursive below (id, steps) as (select id, 1 from commerce_categories where id = $1 and tenant = $2 \
     union all select c.id, below.steps + 1 from commerce_categories c join below on c.parent_id = below.id \
     where c.tenant = $2 and below.steps < $3) select id, steps from below order by steps, id",
);

static INSERT: Query = Query::write(
    "commerce.insert_category",
    "insert into commerce_categories (id, tenant, name, name_key, parent_id, version, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, 1, $6, $6)",
);

static UPDATE: Query = Query::write(
    "commerce.update_category",
    "update commerce_categories set name = $3, name_key = $4, parent_id = $5, version = $6, updated_at = $7 \
     where id = $1 and tenant = $2",
);

static DELETE: Query =
    Query::write("commerce.delete_category", "delete from commerce_categories where id = $1 and tenant = $2");

static HAS_PRODUCTS: Query = Query::point(
    "commerce.category_has_products",
    "select exists (select 1 from commerce_products where tenant = $2 and category_id = $1 and deleted_at is null)",
);

static HAS_CHILDREN: Query = Query::point(
    "commerce.category_has_children",
    "select exists (select 1 from commerce_categories where tenant = $2 and parent_id = $1)",
);

static PRODUCTS: Query = Query::scan(
    "commerce.products_to_index",
    "select id, sku from commerce_products where tenant = $1 and category_id = $2 and deleted_at is null and id > $3 \
     order by id limit $4",
);

/// The triggers of the index of words run for each row whose category is set.
static INDEX: Query = Query::write(
    "commerce.index_products",
    "update commerce_products set category_id = category_id where id = any($1) and tenant = $2",
);

/// A category that its transaction has locked.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) name: String,
    pub(crate) parent: Option<Uuid>,
    pub(crate) version: i64,
}

/// A category as it is written.
pub(crate) struct Saved<'a> {
    pub(crate) id: Uuid,
    pub(crate) name: &'a str,
    pub(crate) parent: Option<Uuid>,
    pub(crate) version: i64,
}

/// A page of categories: all of them, or those right below one, or those at the top.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    parent: Option<Option<Uuid>>,
    (after, offset, size): (Option<&PageEnd>, usize, usize),
) -> Result<Page<Place>, DatabaseError> {
    let after = after.and_then(|end| end.place_in(tenant, &BY_NAME));
    let rows = below(&LIST, tenant, parent).rows(read, &BY_NAME, after, offset + size + 1).await?;
    let place = |row: &Row| Ok(Place { key: SortKey::Text(row.get("name_key")?), id: row.get("id")? });
    let places: Vec<Place> = rows.iter().skip(offset).map(place).collect::<Result<_, DatabaseError>>()?;
    Ok(Page::cut(places, size, (tenant, &BY_NAME), Place::clone))
}

/// How many there are.
pub(crate) async fn count(
    read: &Read<'_>,
    tenant: &Tenant,
    parent: Option<Option<Uuid>>,
) -> Result<u64, DatabaseError> {
    below(&COUNT, tenant, parent).count(read, CATEGORIES_COUNT_MAX).await
}

/// The same of all, but at most `most`, in a transaction that holds the tree.
pub(crate) async fn count_locked(
    tx: &mut Transaction,
    tenant: &Tenant,
    most: u32,
) -> Result<i64, DatabaseError> {
    tx.row(&COUNT_ALL, params![tenant, i64::from(most)]).await?.map_or(Ok(0), |row| row.get(0))
}

fn below<'a>(list: &List, tenant: &'a Tenant, parent: Option<Option<Uuid>>) -> pando_service::Listed<'a> {
    match parent {
        None => list.of(tenant),
        Some(None) => list.of(tenant).filter("parent_id is null", params![]),
        Some(Some(id)) => list.of(tenant).filter("parent_id = $1", params![id]),
    }
}

/// These categories, in no order.
pub(crate) async fn shown(
    read: &Read<'_>,
    tenant: &Tenant,
    ids: Vec<Uuid>,
) -> Result<Vec<Category>, DatabaseError> {
    read.rows(&SHOWN, params![ids, tenant, COUNT_MAX]).await?.iter().map(category).collect()
}

/// A category within the transaction that changed it.
pub(crate) async fn written(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Category>, DatabaseError> {
    tx.rows(&SHOWN, params![vec![id], tenant, COUNT_MAX]).await?.first().map(category).transpose()
}

/// A category and all below it, which are as many as the shop allows.
pub(crate) async fn family(read: &Read<'_>, tenant: &Tenant, id: Uuid) -> Result<Vec<Uuid>, DatabaseError> {
    let rows = read.rows(&BELOW, params![id, tenant, deepest()]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Locks the tree of a tenant: its form changes once at a time.
pub(crate) async fn hold_tree(tx: &mut Transaction, tenant: &Tenant) -> Result<(), DatabaseError> {
    tx.execute(&HOLD_TREE, params![tenant]).await.map(drop)
}

/// Locks a category until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Held>, DatabaseError> {
    let row = tx.row(&LOCK, params![id, tenant]).await?;
    row.map(|row| Ok(Held { name: row.get(0)?, parent: row.get(1)?, version: row.get(2)? })).transpose()
}

/// A category and those above it, the lowest first; empty if there is no such category.
pub(crate) async fn up(tx: &mut Transaction, tenant: &Tenant, id: Uuid) -> Result<Vec<Uuid>, DatabaseError> {
    tx.rows(&UP, params![id, tenant, deepest()]).await?.iter().map(|row| row.get(0)).collect()
}

/// How many levels a category and those below it have.
pub(crate) async fn height(tx: &mut Transaction, tenant: &Tenant, id: Uuid) -> Result<usize, DatabaseError> {
    let rows = tx.rows(&BELOW, params![id, tenant, deepest()]).await?;
    let steps = rows.last().map_or(Ok(0), |row| row.get::<i64>(1))?;
    Ok(usize::try_from(steps).unwrap_or_default())
}

/// Adds a category.
pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: &Tenant,
    saved: &Saved<'_>,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let key = pando_service::folded(saved.name);
    tx.execute(&INSERT, params![saved.id, tenant, saved.name, key, saved.parent, now]).await.map(drop)
}

/// Writes a locked category.
pub(crate) async fn update(
    tx: &mut Transaction,
    tenant: &Tenant,
    saved: &Saved<'_>,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let key = pando_service::folded(saved.name);
    let row = params![saved.id, tenant, saved.name, key, saved.parent, saved.version, now];
    tx.execute(&UPDATE, row).await.map(drop)
}

/// Deletes a locked category.
pub(crate) fn delete(tx: &mut Transaction, tenant: &Tenant, id: Uuid) {
    tx.execute_later(&DELETE, params![id, tenant]);
}

/// Whether a locked category has products, and whether it has categories below it.
pub(crate) async fn contents(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<(bool, bool), DatabaseError> {
    let products = tx.row(&HAS_PRODUCTS, params![id, tenant]).await?;
    let children = tx.row(&HAS_CHILDREN, params![id, tenant]).await?;
    let yes = |row: Option<Row>| row.map_or(Ok(false), |row| row.get(0));
    Ok((yes(products)?, yes(children)?))
}

/// The ids and SKUs of the next products of a category.
pub(crate) async fn products_after(
    read: &Read<'_>,
    tenant: &Tenant,
    (category, after): (Uuid, Uuid),
    count: usize,
) -> Result<Vec<(Uuid, String)>, DatabaseError> {
    let limit = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = read.rows(&PRODUCTS, params![tenant, category, after, limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Writes the words of locked products into the index of the search anew.
pub(crate) async fn index(
    tx: &mut Transaction,
    tenant: &Tenant,
    products: Vec<Uuid>,
) -> Result<(), DatabaseError> {
    tx.execute(&INDEX, params![products, tenant]).await.map(drop)
}

/// One step more than the tree can have, so that a deeper one is noticed and none is endless.
fn deepest() -> i64 {
    i64::try_from(DEPTH_MAX).unwrap_or(i64::MAX) + 1
}

fn category(row: &Row) -> Result<Category, DatabaseError> {
    let above = ["four", "three", "two", "one"].map(|column| row.get::<Option<String>>(column));
    let above = above.into_iter().collect::<Result<Vec<_>, _>>()?;
    let name: String = row.get("name")?;
    Ok(Category {
        id: row.get("id")?,
        parent_id: row.get("parent_id")?,
        path: above.into_iter().flatten().chain([name.clone()]).collect(),
        name,
        product_count: row.get("products")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
