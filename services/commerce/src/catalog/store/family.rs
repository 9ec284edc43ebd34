//! Pages of the products of several categories together, which are a category and all below it.

use pando_database::ComposedQuery;
use pando_service::prelude::*;
use uuid::Uuid;

use super::conditions::conditions;
use crate::catalog::domain::question::ProductQuestion;

/// Adds the statement. The first places of each category are read from its index, and the first of those are the answer. So a page costs as many rows as it
/// has, times the number of categories, however many products these have.
pub(crate) fn push_places(
    query: &mut ComposedQuery,
    (tenant, question): (&Tenant, &ProductQuestion),
    categories: &[Uuid],
    (order, after): (&Order, Option<Place>),
    limit: usize,
) {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query.push_per_engine(
        "select id, name_key, price_minor, created_at, updated_at from unnest(cast($1 as uuid[])) as c (value) \
         cross join lateral (select id, name_key, price_minor, created_at, updated_at from commerce_products p \
         where tenant = $2 and category_id = c.value",
        "select id, name_key, price_minor, created_at, updated_at from rarray($1) as c \
         cross join commerce_products as found where found.rowid in (select p.rowid from commerce_products p \
         where p.tenant = $2 and p.category_id = c.value",
        params![categories.to_vec(), tenant],
    );
    query.push(" and active and deleted_at is null", []);
    for (condition, values) in conditions(question, None) {
        query.push(" and ", []).push(condition, values);
    }
    if let Some(place) = after {
        order.push_after(query, place);
    }
    order.push_sort(query);
    query.push(" limit $1", params![limit]);
    query.push_per_engine(") as found", ")", []);
    order.push_sort(query);
    query.push(" limit $1", params![limit]);
}
