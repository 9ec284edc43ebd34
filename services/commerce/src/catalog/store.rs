//! Every statement about products and categories, beside the rows that it reads.

pub(crate) mod categories;
mod conditions;
pub(crate) mod facets;
pub(super) mod family;
pub(crate) mod search;

use pando_database::ComposedQuery;
use pando_service::Listed;
use pando_service::prelude::*;
use uuid::Uuid;

use self::conditions::conditions;
use super::domain::product::{CategoryRef, Draft, Stored};
use super::domain::question::ProductQuestion;
use crate::domain::money::{Currency, Money};

macro_rules! columns {
    () => {
        "p.id, p.sku, p.name, p.description, p.price_minor, p.currency, p.category_id, c.name as category_name, \
         p.brand, p.weight_grams, p.image_urls, p.tags, p.metadata, p.active, s.available, \
         s.version as revision, p.version, p.created_at, p.updated_at"
    };
}

macro_rules! tables {
    () => {
        " from commerce_products p join commerce_categories c on c.id = p.category_id and c.tenant = p.tenant \
         join commerce_stock s on s.product_id = p.id and s.tenant = p.tenant"
    };
}

static FIND: Query = Query::point(
    "commerce.product",
    concat!("select ", columns!(), tables!(), " where p.id = $1 and p.tenant = $2 and p.deleted_at is null"),
);

static FIND_MANY: Query = Query::scan(
    "commerce.products",
    concat!(
        "select ",
        columns!(),
        tables!(),
        " where p.id = any($1) and p.tenant = $2 and p.deleted_at is null"
    ),
);

static UPDATE: Query = Query::write(
    "commerce.update_product",
    "update commerce_products set sku = $3, name = $4, name_key = $5, description = $6, price_minor = $7, currency = $8, \
     category_id = $9, brand = $10, weight_grams = $11, image_urls = $12, tags = $13, metadata = $14, active = $15, \
     version = $16, updated_at = $17 where id = $1 and tenant = $2",
);

static MARK_DELETED: Query = Query::write(
    "commerce.delete_product",
    "update commerce_products set deleted_at = $3, updated_at = $3, version = version + 1 where id = $1 and tenant = $2",
);

static INSERT: BulkInsert = BulkInsert {
    name: "commerce.insert_product",
    table: "commerce_products",
    columns: &[
        ("id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("sku", ColumnType::Text),
        ("name", ColumnType::Text),
        ("name_key", ColumnType::Text),
        ("description", ColumnType::Text),
        ("price_minor", ColumnType::Bigint),
        ("currency", ColumnType::Text),
        ("category_id", ColumnType::Uuid),
        ("brand", ColumnType::Text),
        ("weight_grams", ColumnType::Bigint),
        ("image_urls", ColumnType::Json),
        ("tags", ColumnType::Json),
        ("metadata", ColumnType::Json),
        ("active", ColumnType::Boolean),
        ("version", ColumnType::Bigint),
        ("updated_at", ColumnType::Timestamp),
        ("created_at", ColumnType::Timestamp),
        ("in_stock", ColumnType::Boolean),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

static INSERT_NEW: BulkInsert = BulkInsert {
    name: "commerce.insert_new_products",
    on_conflict: OnConflict::Skip("(tenant, sku) where deleted_at is null"),
    ..INSERT
};

pub(super) static PLACES: List = List {
    name: "commerce.product_places",
    select: "select id, name_key, price_minor, created_at, updated_at from commerce_products p",
    rows: "active and deleted_at is null",
};

/// How far products are counted: as far as pages are read by their numbers.
pub(crate) const COUNT_MAX: usize = 10_000;

pub(super) static COUNT: List = List {
    name: "commerce.count_products",
    select: "select count(*) from (select 1 from commerce_products p",
    ..PLACES
};

/// Locked until the transaction ends, so that nobody deletes or renames it while it gets a product.
static CATEGORY: Query = Query::point(
    "commerce.category",
    "select id, name from commerce_categories where id = $1 and tenant = $2 for share",
);

static CATEGORY_ID: Query = Query::point(
    "commerce.category_id",
    "select id from commerce_categories where name_key = $1 and tenant = $2",
);

static CATEGORY_NAMED: Query = Query::point(
    "commerce.category_named",
    "select id, name from commerce_categories where name_key = $1 and tenant = $2 for share",
);

/// Two requests may name the same new category at once: the second takes the one of the first.
static NEW_CATEGORY: Query = Query::write(
    "commerce.new_category",
    "insert into commerce_categories (id, tenant, name, name_key, parent_id, version, created_at, updated_at) \
     values ($1, $2, $3, $4, null, 1, $5, $5) on conflict (tenant, name_key) do nothing",
);

/// A product that is not deleted.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Stored>, DatabaseError> {
    read.row(&FIND, params![id, tenant]).await?.as_ref().map(stored).transpose()
}

/// Those of these products that are not deleted.
pub(crate) async fn find_many(
    read: &Read<'_>,
    tenant: &Tenant,
    ids: Vec<Uuid>,
) -> Result<Vec<Stored>, DatabaseError> {
    read.rows(&FIND_MANY, params![ids, tenant]).await?.iter().map(stored).collect()
}

/// A product that is not deleted, in a transaction that has locked its stock: whoever changes a product locks its stock first.
pub(crate) async fn find_locked(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Stored>, DatabaseError> {
    tx.row(&FIND, params![id, tenant]).await?.as_ref().map(stored).transpose()
}

/// The id and the name of the category that a caller names.
pub(crate) async fn category(
    tx: &mut Transaction,
    tenant: &Tenant,
    named: &CategoryRef,
) -> Result<Option<(Uuid, String)>, DatabaseError> {
    let row = match named {
        CategoryRef::Id(id) => tx.row(&CATEGORY, params![*id, tenant]).await?,
        CategoryRef::Name(name) => {
            tx.row(&CATEGORY_NAMED, params![pando_service::folded(name), tenant]).await?
        }
    };
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// Makes a category at the top of the tree, unless another request was quicker.
pub(crate) async fn new_category(
    tx: &mut Transaction,
    tenant: &Tenant,
    name: &str,
    (fresh, now): (Uuid, Timestamp),
) -> Result<(), DatabaseError> {
    let key = pando_service::folded(name);
    tx.execute(&NEW_CATEGORY, params![fresh, tenant, name, key, now]).await.map(drop)
}

/// The id of the category with this name.
pub(crate) async fn category_id(
    read: &Read<'_>,
    tenant: &Tenant,
    name: &str,
) -> Result<Option<Uuid>, DatabaseError> {
    let row = read.row(&CATEGORY_ID, params![pando_service::folded(name), tenant]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// The products that are offered and that a question asks for.
pub(super) fn asked<'a>(
    list: &List,
    tenant: &'a Tenant,
    question: &ProductQuestion,
    categories: Option<&[Uuid]>,
) -> Listed<'a> {
    let all = conditions(question, categories).into_iter();
    all.fold(list.of(tenant), |list, (condition, values)| list.filter(condition, values))
}

/// The places of the products of a page and of those that it steps over, and of one more if there is one.
pub(crate) async fn places(
    read: &Read<'_>,
    tenant: &Tenant,
    question: &ProductQuestion,
    categories: Option<&[Uuid]>,
) -> Result<Vec<Place>, DatabaseError> {
    let order = question.sort.unwrap_or_default().order();
    let after = question.after.as_ref().and_then(|end| end.place_in(tenant, &order));
    let limit = question.offset + question.size + 1;
    let rows = match categories {
        Some(many) if many.len() > 1 => {
            let mut query = ComposedQuery::scan("commerce.product_places_of_family");
            family::push_places(&mut query, (tenant, question), many, (&order, after), limit);
            read.composed(&query).await?
        }
        one => asked(&PLACES, tenant, question, one).rows(read, &order, after, limit).await?,
    };
    let place = |row: &Row| {
        let key = match order.kind {
            KeyKind::Text => SortKey::Text(row.get(order.column)?),
            KeyKind::Integer => SortKey::Integer(row.get(order.column)?),
            KeyKind::Time => SortKey::Time(row.get(order.column)?),
        };
        Ok(Place { key, id: row.get("id")? })
    };
    rows.iter().map(place).collect()
}

/// How many products a question asks for on all its pages, but at most [`COUNT_MAX`].
pub(crate) async fn count(
    read: &Read<'_>,
    tenant: &Tenant,
    question: &ProductQuestion,
    categories: Option<&[Uuid]>,
) -> Result<u64, DatabaseError> {
    asked(&COUNT, tenant, question, categories).count(read, COUNT_MAX).await
}

/// Adds a product, whose category is there.
pub(crate) fn insert(tx: &mut Transaction, tenant: &Tenant, product: &Stored) {
    tx.insert_later(&INSERT, new_row(tenant, product));
}

/// Adds those of these products whose SKU no other has: their ids.
pub(crate) async fn insert_new(
    tx: &mut Transaction,
    tenant: &Tenant,
    products: &[Stored],
) -> Result<Vec<Uuid>, DatabaseError> {
    let rows = products.iter().map(|product| new_row(tenant, product)).collect();
    tx.bulk_insert(&INSERT_NEW, rows).await
}

fn new_row(tenant: &Tenant, product: &Stored) -> Vec<pando_database::Value> {
    let mut row = values(tenant, product);
    row.extend(params![product.created_at, product.available > 0]);
    row
}

/// Writes a changed product over its row, which the transaction has locked.
pub(crate) fn update(tx: &mut Transaction, tenant: &Tenant, product: &Stored) {
    tx.execute_later(&UPDATE, values(tenant, product));
}

/// Marks a locked product as deleted: orders still name it.
pub(crate) fn delete(tx: &mut Transaction, tenant: &Tenant, id: Uuid, now: Timestamp) {
    tx.execute_later(&MARK_DELETED, params![id, tenant, now]);
}

pub(crate) fn stored(row: &Row) -> Result<Stored, DatabaseError> {
    let text = |column: &'static str| row.get::<String>(column);
    let currency = row.parsed("currency", "a currency", Currency::stored)?;
    let category_id = row.get("category_id")?;
    let draft = Draft {
        sku: text("sku")?,
        name: text("name")?,
        description: text("description")?,
        price: Money::new(row.get("price_minor")?, currency),
        category: CategoryRef::Id(category_id),
        brand: text("brand")?,
        weight_grams: row.get("weight_grams")?,
        image_urls: row.get::<Json<_>>("image_urls")?.0,
        tags: row.get::<Json<_>>("tags")?.0,
        metadata: row.get::<Json<_>>("metadata")?.0,
        active: row.get("active")?,
    };
    Ok(Stored {
        id: row.get("id")?,
        draft,
        category_name: text("category_name")?,
        category_id,
        available: row.get("available")?,
        revision: row.get("revision")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// The values that an insert and an update have both.
fn values(tenant: &Tenant, product: &Stored) -> Vec<pando_database::Value> {
    let draft = &product.draft;
    let mut values = Vec::with_capacity(INSERT.columns.len());
    values.extend(params![
        product.id,
        tenant,
        draft.sku.as_str(),
        draft.name.as_str(),
        pando_service::folded(&draft.name),
        draft.description.as_str(),
        draft.price.minor,
        draft.price.currency.code(),
        product.category_id,
        draft.brand.as_str(),
        draft.weight_grams,
        serde_json::Value::from(draft.image_urls.clone()),
        serde_json::Value::from(draft.tags.clone()),
        serde_json::Value::Object(draft.metadata.clone()),
        draft.active,
        product.version,
        product.updated_at,
    ]);
    values
}
