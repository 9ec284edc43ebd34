//! Rows of products that are counted, and the categories above theirs.

use pando_service::prelude::*;
use uuid::Uuid;

use super::conditions::conditions;
use crate::catalog::domain::facets::{Counted, Node};
use crate::catalog::domain::question::ProductQuestion;

static COUNTED: List = List {
    name: "commerce.counted_products",
    select: "select p.category_id, p.brand, p.price_minor, p.in_stock from commerce_products p",
    rows: "active and deleted_at is null",
};

/// Each category once, however many are below it.
static ABOVE: Query = Query::scan(
    "commerce.categories_of_facets",
    "with recursive up (id, name, parent_id) as (select id, name, parent_id from commerce_categories \
     where id = any($1) and tenant = $2 union select c.id, c.name, c.parent_id from commerce_categories c \
     join up on c.id = up.parent_id where c.tenant = $2) select id, name, parent_id from up",
);

/// At most so many of the products that are offered and that a question asks for, in no order.
pub(crate) async fn counted(
    read: &Read<'_>,
    tenant: &Tenant,
    question: &ProductQuestion,
    (categories, most): (Option<&[Uuid]>, usize),
) -> Result<Vec<Counted>, DatabaseError> {
    let all = conditions(question, categories).into_iter();
    let list = all.fold(COUNTED.of(tenant), |list, (condition, values)| list.filter(condition, values));
    let row = |row: &Row| {
        Ok(Counted {
            category: row.get(0)?,
            brand: row.get(1)?,
            price_minor: row.get(2)?,
            in_stock: row.get(3)?,
        })
    };
    list.some(read, most).await?.iter().map(row).collect()
}

/// These categories and all above them.
pub(crate) async fn nodes(
    read: &Read<'_>,
    tenant: &Tenant,
    categories: Vec<Uuid>,
) -> Result<Vec<Node>, DatabaseError> {
    let node = |row: &Row| Ok(Node { id: row.get(0)?, name: row.get(1)?, parent: row.get(2)? });
    read.rows(&ABOVE, params![categories, tenant]).await?.iter().map(node).collect()
}
