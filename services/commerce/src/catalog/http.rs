//! The catalog over HTTP. Everybody may read it.

pub(crate) mod categories;
mod question;

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

use self::question::{FacetParameters, ListParameters, question};
use super::domain::facets::Facets;
use super::domain::product::Product;
use crate::Commerce;
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
    OpenApiRouter::new()
        .routes(routes!(list_products, create_product))
        .routes(routes!(read_facets))
        .routes(routes!(read_product, change_product, delete_product))
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

/// Count the catalog by category, brand, price and stock
///
/// The counts are those of the products that the list finds with the same filters. At most 10,000 of them are counted, and at most
/// 1,000 of a question with words or tags: `isComplete` says whether these are all.
#[utoipa::path(get, path = "/api/products/facets", tag = "catalog", params(FacetParameters), security((), ("token" = ["product:read"])),
    responses((status = 200, description = "The counts", body = One<Facets>), (status = 400, description = "Bad parameters")))]
async fn read_facets(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    query: QueryString,
) -> Result<JsonAnswer<One<Facets>>, Problem> {
    let (question, _) = question(query, commerce.0.currency)?;
    let data = commerce.count_facets(&call, &question).await?;
    Ok(JsonAnswer(One { data, message: "the counts" }))
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
