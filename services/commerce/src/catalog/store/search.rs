//! Finding products by their words: a column of lexemes on PostgreSQL, FTS5 on SQLite.

use pando_database::ComposedQuery;
use pando_service::prelude::*;
use uuid::Uuid;

use super::conditions::conditions;
use crate::catalog::domain::facets::Counted;
use crate::catalog::domain::question::ProductQuestion;
use crate::catalog::domain::search::{Search, Tag, Texts, Wanted};

/// How many products a search looks at: those that the index gives first.
pub(crate) const HITS_MAX: i64 = 1_000;

/// A product that has the words, with all that it can be sorted by.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) id: Uuid,
    pub(crate) name_key: String,
    pub(crate) price_minor: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) category_id: Uuid,
    pub(crate) in_stock: bool,
    pub(crate) texts: Texts,
}

impl Hit {
    /// As far as it is counted. The brand is the last of the labels.
    pub(crate) fn counted(mut self) -> Counted {
        Counted {
            category: self.category_id,
            brand: self.texts.labels.pop().unwrap_or_default(),
            price_minor: self.price_minor,
            in_stock: self.in_stock,
        }
    }
}

/// The first products that are offered, have the words and tags of a question and pass its filters, in no order.
pub(crate) async fn hits(
    read: &Read<'_>,
    tenant: &Tenant,
    question: &ProductQuestion,
    categories: Option<&[Uuid]>,
) -> Result<Vec<Hit>, DatabaseError> {
    if question.search.as_ref().is_some_and(Search::is_empty) {
        return Ok(Vec::new());
    }
    let mut query = ComposedQuery::scan("commerce.search_products");
    push_hits(&mut query, tenant, question, categories);
    read.composed(&query).await?.iter().map(hit).collect()
}

/// Adds the statement.
pub(crate) fn push_hits(
    query: &mut ComposedQuery,
    tenant: &Tenant,
    question: &ProductQuestion,
    categories: Option<&[Uuid]>,
) {
    let wanted = Wanted { search: question.search.as_ref(), tags: &question.tags };
    query.push(
        "select p.id, p.name_key, p.price_minor, p.created_at, p.updated_at, p.name, p.brand, p.tags, p.category_id, p.in_stock, \
         c.name as category from ",
        [],
    );
    // The joins say that SQLite looks into the index of words first. Both engines get the parameters of both.
    query.push_per_engine(
        "commerce_products p join commerce_categories c on c.id = p.category_id and c.tenant = p.tenant \
         where p.words @@ (cast(cast($1 as text) as tsquery) && to_tsquery('simple', $2)) and $3 <> ''",
        "commerce_search s cross join commerce_search_rows r on r.row = s.rowid \
         cross join commerce_products p on p.id = r.product_id and p.tenant = r.tenant \
         cross join commerce_categories c on c.id = p.category_id and c.tenant = p.tenant \
         where commerce_search match $3 and $1 <> '' and $2 <> ''",
        params![format!("'/{tenant}'"), wanted.for_tsquery(), wanted.for_fts5(&shop(tenant))],
    );
    query.push(" and p.tenant = $1 and p.active and p.deleted_at is null", params![tenant]);
    if !question.tags.is_empty() {
        let tags: serde_json::Value = question.tags.iter().map(Tag::as_str).collect();
        query.push_per_engine(
            " and p.tags @> cast($1 as jsonb)",
            " and not exists (select 1 from json_each($1) as wanted \
             where wanted.value not in (select had.value from json_each(p.tags) as had))",
            params![tags],
        );
    }
    for (condition, values) in conditions(question, categories) {
        query.push(" and ", []).push(condition, values);
    }
    query.push(" limit $1", params![HITS_MAX]);
}

/// The tenant as one word of the index.
fn shop(tenant: &Tenant) -> String {
    let digits: String = tenant.as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("t{digits}")
}

fn hit(row: &Row) -> Result<Hit, DatabaseError> {
    let mut labels = row.get::<Json<Vec<String>>>("tags")?.0;
    labels.push(row.get("brand")?);
    Ok(Hit {
        id: row.get("id")?,
        name_key: row.get("name_key")?,
        price_minor: row.get("price_minor")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        category_id: row.get("category_id")?,
        in_stock: row.get("in_stock")?,
        texts: Texts { name: row.get("name")?, labels, category: row.get("category")? },
    })
}
