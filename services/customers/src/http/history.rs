//! The history of a customer as JSON.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{Uri, header};
use pando_http::{JsonAnswer, QueryString, next_link_by};
use pando_service::prelude::*;
use utoipa::ToSchema;

use crate::Customers;
use crate::domain::history::Change;
use crate::list_changes::LIMIT;

/// The parameter that names the end of the page before.
const BEFORE: &str = "before_version";

// Profiles have a schema named `Change`, so this one has another name. A doc comment here would become a part of it.
#[derive(ToSchema)]
#[schema(as = CustomerHistoryEntry)]
#[expect(dead_code, reason = "it describes the answer; Change makes it")]
struct Entry(#[schema(inline)] Change);

/// Read the history of a customer
///
/// The latest change first, page by page. The history of a customer is deleted together with the customer.
#[utoipa::path(
    get, path = "/api/v1/customers/{id}/history", tag = "customers",
    params(("id" = String, Path),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Most changes on the page; 100 by default"),
        ("before_version" = Option<i64>, Query, minimum = 1, description = "Only changes before this version; the Link header of the previous page has it")),
    responses(
        (status = 200, description = "The changes", body = Vec<Entry>, headers(
            ("Link" = String, description = "The next page, if there is one"))),
        (status = 404, description = "No customer has this id"),
    )
)]
pub(super) async fn history(
    State(customers): State<Customers>,
    Caller(call): Caller,
    Path(id): Path<String>,
    uri: Uri,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let limit = query.integer("limit", 1..=1_000).and_then(|limit| usize::try_from(limit).ok());
    let before = query.integer(BEFORE, 1..=i64::MAX);
    query.finish()?;
    let page = customers.list_changes(&call, &id, before, limit.unwrap_or(LIMIT.0)).await?;
    let mut response = JsonAnswer(&page.changes).into_response();
    if let Some(version) = page.next {
        response.headers_mut().insert(header::LINK, next_link_by(&uri, BEFORE, &version.to_string()));
    }
    Ok(response)
}
