//! The question for products in a query string.

use pando_http::QueryString;
use pando_service::prelude::*;
use uuid::Uuid;

use crate::catalog::domain::question::SortWord;
use crate::catalog::domain::search::{SEARCH_CHARS_MAX, Search, Tag};
use crate::catalog::{ProductQuestion, ProductSort};
use crate::domain::money::{Currency, scaled};
use crate::http::paging::Paging;

/// How many tags a question may name.
const TAGS_MAX: usize = 5;

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the query; question reads it")]
pub(super) struct ListParameters {
    /// The number of the page, from 0; at most 10,000 products are stepped over
    #[param(required = false, minimum = 0, default = 0)]
    page: u64,
    /// How many products
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    size: u64,
    /// The `next` of the page before, instead of `page`
    #[param(required = false)]
    cursor: String,
    /// Only products of this category and of those below it, by its name
    #[param(required = false)]
    category: String,
    /// Only products of this category and of those below it
    #[param(required = false)]
    category_id: Uuid,
    /// Only products of this brand, as it is written
    #[param(required = false, max_length = 100)]
    brand: String,
    /// Only products that have all these tags, as they are written, separated by commas. Like a search, this looks at the first 1,000
    /// products that it finds
    #[param(required = false, max_length = 160)]
    tags: String,
    /// Only products of which there is a unit
    #[param(required = false)]
    in_stock: bool,
    /// Only products that cost at least so much
    #[param(required = false, minimum = 0)]
    min_price: f64,
    /// Only products that cost at most so much
    #[param(required = false, minimum = 0)]
    max_price: f64,
    /// Only products that have all these words in their name, brand, tags, category or description; the last word may be the beginning
    /// of one. A search looks at the first 1,000 products that it finds
    #[param(required = false, max_length = 100)]
    search: String,
    /// `name`, `price`, `createdAt` or `updatedAt`; also as `sort`. A search has the best first unless this is there
    #[param(required = false)]
    sort_by: String,
    /// `asc` or `desc`
    #[param(required = false)]
    sort_direction: String,
}

/// The question for counts: the filters of the list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the query; question reads it")]
pub(super) struct FacetParameters {
    /// Only products of this category and of those below it, by its name
    #[param(required = false)]
    category: String,
    /// Only products of this category and of those below it
    #[param(required = false)]
    category_id: Uuid,
    /// Only products of this brand, as it is written
    #[param(required = false, max_length = 100)]
    brand: String,
    /// Only products that have all these tags, as they are written, separated by commas
    #[param(required = false, max_length = 160)]
    tags: String,
    /// Only products of which there is a unit
    #[param(required = false)]
    in_stock: bool,
    /// Only products that cost at least so much
    #[param(required = false, minimum = 0)]
    min_price: f64,
    /// Only products that cost at most so much
    #[param(required = false, minimum = 0)]
    max_price: f64,
    /// Only products that have all these words
    #[param(required = false, max_length = 100)]
    search: String,
}

/// The question of a query, and the number of its page.
pub(super) fn question(
    mut query: QueryString,
    currency: Currency,
) -> Result<(ProductQuestion, u64), Problem> {
    let paging = Paging::read(&mut query);
    let words = [
        ("name", SortWord::Name),
        ("price", SortWord::Price),
        ("createdAt", SortWord::CreatedAt),
        ("updatedAt", SortWord::UpdatedAt),
    ];
    let by = query.one_of("sortBy", &words).or_else(|| query.one_of("sort", &words));
    let descending =
        query.one_of("sortDirection", &[("asc", false), ("desc", true), ("ASC", false), ("DESC", true)]);
    let search = searched(&mut query);
    // A direction without a column is that of the names.
    let by = by.or_else(|| descending.filter(|_| search.is_none()).map(|_| SortWord::Name));
    let sort = by.map(|by| ProductSort::named(by, descending.unwrap_or_default()));
    let (min_price, max_price) =
        (price(&mut query, "minPrice", currency), price(&mut query, "maxPrice", currency));
    let (category, category_id) = (query.text("category"), query.parsed("categoryId", "a UUID"));
    let (brand, tags) = (query.text("brand"), tags(&mut query));
    let in_stock = query.boolean("inStock").unwrap_or_default();
    if paging.has_cursor() && (search.is_some() || !tags.is_empty()) {
        query.error(
            "cursor",
            "not_allowed",
            "a search, by words or tags, is read by the numbers of its pages",
        );
    }
    query.finish()?;
    let question = ProductQuestion {
        size: paging.size,
        offset: paging.offset,
        after: paging.after()?,
        sort,
        search,
        category,
        category_id,
        brand,
        tags,
        in_stock,
        min_price,
        max_price,
    };
    Ok((question, paging.page as u64))
}

/// The words to search for; none if the text is empty.
fn searched(query: &mut QueryString) -> Option<Search> {
    let text = query.text("search").filter(|text| !text.trim().is_empty())?;
    let search = Search::parse(&text);
    if search.is_none() {
        query.error("search", "too_long", format!("must have at most {SEARCH_CHARS_MAX} characters"));
    }
    search
}

/// The tags that products must have.
fn tags(query: &mut QueryString) -> Vec<Tag> {
    let texts = query.list("tags").unwrap_or_default();
    if texts.len() > TAGS_MAX {
        query.error("tags", "too_many", format!("must have at most {TAGS_MAX} tags"));
        return Vec::new();
    }
    let tags: Option<Vec<Tag>> = texts.iter().map(|text| Tag::parse(text)).collect();
    if tags.is_none() {
        query.error("tags", "value", "must be tags of at most 30 characters, each with a letter or a digit");
    }
    tags.unwrap_or_default()
}

/// An amount in the smallest unit of the currency of the shop.
fn price(query: &mut QueryString, name: &'static str, currency: Currency) -> Option<i64> {
    let text = query.text(name)?;
    let minor = scaled(&text, currency.digits());
    let minor = minor.map_err(|error| error.to_string()).and_then(|minor| match minor {
        0.. => Ok(minor),
        _ => Err("must not be negative".to_owned()),
    });
    minor.map_err(|reason| query.error(name, "value", reason)).ok()
}
