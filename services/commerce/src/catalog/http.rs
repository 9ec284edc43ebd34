//! The catalog over HTTP. Everybody may read it.

pub(crate) mod categories;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use pando_http::{JsonAnswer, QueryString};
use pando_service::http::WriteCall;
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::domain::product::Product;
use super::domain::question::SortWord;
use super::domain::search::{SEARCH_CHARS_MAX, Search};
use super::{ProductQuestion, ProductSort};
use crate::Commerce;
use crate::domain::money::{Currency, scaled};
use crate::http::paging::Paging;
use crate::http::shape::{Many, One, Pagination};

/// The product in the path. A text that is no id is a bad one.
pub(crate) struct ProductPath;

/// The fields of a product that a caller gives.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct ProductFields {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(required = false, max_length = 1000)]
    description: String,
    /// With at most as many digits behind the point as the currency has.
    #[schema(minimum = 0, exclusive_maximum = 100_000)]
    price: f64,
    #[schema(required = false, pattern = "^[A-Z]{3}$")]
    currency: String,
    /// The name of a category; it is made if it is not there. Or `categoryId`.
    #[schema(required = false, min_length = 1, max_length = 50)]
    category: String,
    #[schema(required = false)]
    category_id: Uuid,
    /// One is made if it is missing.
    #[schema(required = false, pattern = "^[A-Z0-9_-]{3,50}$")]
    sku: String,
    #[schema(required = false, minimum = 0, maximum = 999_999, default = 0)]
    stock_quantity: i64,
    #[schema(required = false, max_items = 5)]
    image_urls: Vec<String>,
    #[schema(required = false, max_items = 20)]
    tags: Vec<String>,
    #[schema(required = false, max_length = 100)]
    brand: String,
    /// In kilograms.
    #[schema(required = false, minimum = 0)]
    weight: f64,
    #[schema(required = false, value_type = std::collections::BTreeMap<String, Object>)]
    metadata: (),
    #[schema(required = false, default = true)]
    active: bool,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the query; list reads it")]
struct ListParameters {
    /// The number of the page, from 0; at most 10,000 products are stepped over
    #[param(required = false, minimum = 0, default = 0)]
    page: u64,
    /// How many products
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    size: u64,
    /// The `next` of the page before, instead of `page`
    #[param(required = false)]
    cursor: String,
    /// Only products of this category, by its name
    #[param(required = false)]
    category: String,
    /// Only products of this category
    #[param(required = false)]
    category_id: Uuid,
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

impl InPath for ProductPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        text.parse().ok()
    }

    fn refused() -> Problem {
        Problem::malformed("the id of a product is a UUID").with_field("id", "malformed", "must be a UUID")
    }
}

/// The routes of products.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new().routes(routes!(list_products, create_product)).routes(routes!(
        read_product,
        change_product,
        delete_product
    ))
}

/// Browse the catalog
#[utoipa::path(get, path = "/api/products", tag = "catalog", params(ListParameters), security((), ("token" = ["product:read"])),
    responses((status = 200, description = "A page of products that are offered", body = Many<Product>),
        (status = 400, description = "Bad parameters")))]
async fn list_products(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    query: QueryString,
) -> Result<JsonAnswer<Many<Product>>, Problem> {
    let (question, page) = question(query, commerce.0.currency)?;
    let found = commerce.list_products(&call, &question).await?;
    let next = found.next.as_ref().map(encode_cursor).transpose().map_err(Fault::from)?;
    let pagination = Pagination::new((page, question.size as u64), found.total, next);
    Ok(JsonAnswer(Many { data: found.products, pagination, message: "the products" }))
}

/// Read a product
#[utoipa::path(get, path = "/api/products/{id}", tag = "catalog", params(("id" = Uuid, Path)), security((), ("token" = ["product:read"])),
    responses((status = 200, description = "The product", body = One<Product>), (status = 304, description = "It is as the caller knows it"),
        (status = 400, description = "Not an id"), (status = 404, description = "There is none")))]
async fn read_product(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    IfNoneMatch(known): IfNoneMatch,
    At(id): At<ProductPath>,
) -> Result<Response, Problem> {
    let kept = commerce.get_product(&call, id).await?;
    cached(&kept, &known, |kept| Ok(json(kept.answer())))
}

/// Add a product
#[utoipa::path(post, path = "/api/products", tag = "catalog", request_body = ProductFields, params(KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 201, description = "The product", body = One<Product>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 409, description = "Another product has the SKU")))]
async fn create_product(
    State(commerce): State<Commerce>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = commerce.create_product(&call, &fields).await?;
    let place = format!("/api/products/{}", done.value.id);
    let answer = One { data: &done.value, message: "the product was created" };
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &answer).location(&place))
}

/// Change a product
///
/// Fields that are absent stay as they are.
#[utoipa::path(put, path = "/api/products/{id}", tag = "catalog", request_body = ProductFields, params(("id" = Uuid, Path), KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 200, description = "The product", body = One<Product>), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 409, description = "Another product has the SKU"), (status = 412, description = "It has another version")))]
async fn change_product(
    State(commerce): State<Commerce>,
    At(id): At<ProductPath>,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = commerce.update_product(&call, id, &expected(&headers, false)?, &fields).await?;
    Ok(WriteAnswer::json(
        StatusCode::OK,
        &done,
        &One { data: &done.value, message: "the product was changed" },
    ))
}

/// Delete a product
#[utoipa::path(delete, path = "/api/products/{id}", tag = "catalog", params(("id" = Uuid, Path), KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 204, description = "It is deleted"), KeyRefused, (status = 400, description = "Not an id"),
        (status = 404, description = "There is none"), (status = 412, description = "It has another version")))]
async fn delete_product(
    State(commerce): State<Commerce>,
    At(id): At<ProductPath>,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<Response, Problem> {
    let done = commerce.delete_product(&call, id, &expected(&headers, false)?).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done).into_response())
}

/// The question of a query, and the number of its page.
fn question(mut query: QueryString, currency: Currency) -> Result<(ProductQuestion, u64), Problem> {
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
    let in_stock = query.boolean("inStock").unwrap_or_default();
    if paging.has_cursor() && search.is_some() {
        query.error("cursor", "not_allowed", "a search is read by the numbers of its pages");
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
