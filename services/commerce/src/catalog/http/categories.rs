//! The tree of categories over HTTP. Everybody may read it.

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

use crate::Commerce;
use crate::catalog::domain::category::Category;
use crate::http::paging::Paging;
use crate::http::shape::{Many, One, Pagination};

/// The category in the path. A text that is no id is a bad one.
struct CategoryPath;

/// The fields of a category that a caller gives.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct NewCategory {
    #[schema(min_length = 1, max_length = 50)]
    name: String,
    /// The category above it; none for one at the top.
    #[schema(required = false, nullable)]
    parent_id: Option<Uuid>,
}

/// The fields of a category that change.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct CategoryChange {
    #[schema(required = false, min_length = 1, max_length = 50)]
    name: String,
    /// The category above it; null puts it at the top.
    #[schema(required = false, nullable)]
    parent_id: Option<Uuid>,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the query; list_categories reads it")]
struct ListParameters {
    /// Only those right below this category, or `none` for those at the top
    #[param(required = false)]
    parent_id: String,
    /// The number of the page, from 0
    #[param(required = false, minimum = 0, default = 0)]
    page: u64,
    /// How many categories
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    size: u64,
    /// The `next` of the page before, instead of `page`
    #[param(required = false)]
    cursor: String,
}

impl InPath for CategoryPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        text.parse().ok()
    }

    fn refused() -> Problem {
        Problem::malformed("the id of a category is a UUID").with_field("id", "malformed", "must be a UUID")
    }
}

/// The routes of categories.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new().routes(routes!(list_categories, create_category)).routes(routes!(
        read_category,
        change_category,
        delete_category
    ))
}

/// Browse the categories
///
/// In the order of their names. The tree follows from `parentId`.
#[utoipa::path(get, path = "/api/categories", tag = "catalog", params(ListParameters), security((), ("token" = ["product:read"])),
    responses((status = 200, description = "A page of categories", body = Many<Category>), (status = 400, description = "Bad parameters")))]
async fn list_categories(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<Many<Category>>, Problem> {
    let paging = Paging::read(&mut query);
    let parent = parent(&mut query);
    query.finish()?;
    let after = paging.after()?;
    let found = commerce.list_categories(&call, parent, (after.as_ref(), paging.offset, paging.size)).await?;
    let next = found.next.as_ref().map(encode_cursor).transpose().map_err(Fault::from)?;
    let pagination = Pagination::new((paging.page as u64, paging.size as u64), found.total, next);
    Ok(JsonAnswer(Many { data: found.categories, pagination, message: "the categories" }))
}

/// Read a category
#[utoipa::path(get, path = "/api/categories/{id}", tag = "catalog", params(("id" = Uuid, Path)), security((), ("token" = ["product:read"])),
    responses((status = 200, description = "The category", body = One<Category>), (status = 400, description = "Not an id"),
        (status = 404, description = "There is none")))]
async fn read_category(
    State(commerce): State<Commerce>,
    Caller(call): Caller,
    At(id): At<CategoryPath>,
) -> Result<JsonAnswer<One<Category>>, Problem> {
    let data = commerce.get_category(&call, id).await?;
    Ok(JsonAnswer(One { data, message: "the category" }))
}

/// Add a category
#[utoipa::path(post, path = "/api/categories", tag = "catalog", request_body = NewCategory, params(KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 201, description = "The category", body = One<Category>), KeyRefused, (status = 400, description = "Every bad field"),
        (status = 409, description = "Another category has the name"), (status = 422, description = "The tree would be too deep or too large")))]
async fn create_category(
    State(commerce): State<Commerce>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = commerce.create_category(&call, &fields).await?;
    let place = format!("/api/categories/{}", done.value.id);
    let answer = One { data: &done.value, message: "the category was created" };
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &answer).version(done.value.version).location(&place))
}

/// Rename or move a category
///
/// Fields that are absent stay as they are. A job tells the products of a category its new name.
#[utoipa::path(put, path = "/api/categories/{id}", tag = "catalog", request_body = CategoryChange, params(("id" = Uuid, Path), KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 200, description = "The category", body = One<Category>), KeyRefused, (status = 400, description = "Every bad field"),
        (status = 404, description = "There is none"), (status = 409, description = "Another category has the name"),
        (status = 412, description = "It has another version"), (status = 422, description = "The tree would be too deep, or a circle")))]
async fn change_category(
    State(commerce): State<Commerce>,
    At(id): At<CategoryPath>,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = commerce.update_category(&call, id, &expected(&headers, false)?, &fields).await?;
    let answer = One { data: &done.value, message: "the category was changed" };
    Ok(WriteAnswer::json(StatusCode::OK, &done, &answer).version(done.value.version))
}

/// Delete an empty category
#[utoipa::path(delete, path = "/api/categories/{id}", tag = "catalog", params(("id" = Uuid, Path), KeyParameter),
    security(("token" = ["admin:all"])),
    responses((status = 204, description = "It is deleted"), KeyRefused, (status = 400, description = "Not an id"),
        (status = 404, description = "There is none"), (status = 409, description = "It has products, or categories below it"),
        (status = 412, description = "It has another version")))]
async fn delete_category(
    State(commerce): State<Commerce>,
    At(id): At<CategoryPath>,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<Response, Problem> {
    let done = commerce.delete_category(&call, id, &expected(&headers, false)?).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done).into_response())
}

/// The category below which those of the page are, or none for those at the top.
fn parent(query: &mut QueryString) -> Option<Option<Uuid>> {
    let text = query.text("parentId")?;
    let id = if text == "none" { Some(None) } else { text.parse().ok().map(Some) };
    if id.is_none() {
        query.error("parentId", "not_readable", "must be a UUID, or none");
    }
    id
}
