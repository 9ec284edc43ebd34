//! The operations as JSON.

mod history;
mod lines;
mod streams;

use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode};
use pando_http::{JsonDocument, QueryString, RouteLimits, decode_cursor};
use pando_service::http::{Keyed, ignored_fields, with_ignored};
use pando_service::prelude::*;
use pando_service::{FieldError, Violations};
use pando_wire::Raw;
use prost::Message as _;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, SchemaType, Type};
use utoipa::openapi::{Object, RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::content::{BATCH_CREATE, CREATE, DELETE, UPDATE, content};
use crate::domain::customer::{Customer, FIELDS, Given, refused};
use crate::list_customers::LIMIT;
use crate::messages::ListResponse;
use crate::{BATCH_MAX, Created, Customers, Question, Update};

/// How large a batch may be.
pub(crate) const BATCH_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How long a batch may take.
const BATCH_MS_MAX: u64 = 30_000;

/// The body of a new customer: those fields of [`Customer`] that a caller gives.
struct CustomerFields;

/// The body of a change: the same fields, none of which is required, and null for pairs that are to be removed.
struct CustomerChange;

impl ToSchema for CustomerFields {}

impl utoipa::PartialSchema for CustomerFields {
    fn schema() -> RefOr<Schema> {
        let described = "The fields of a new customer. The server chooses an id if there is none.";
        given_fields(described, &["email", "name"]).into()
    }
}

impl ToSchema for CustomerChange {}

impl utoipa::PartialSchema for CustomerChange {
    fn schema() -> RefOr<Schema> {
        let described = "The fields to change. A pair of `metadata` is removed by null.";
        let mut change = given_fields(described, &[]);
        change.properties.remove("id");
        if let Some(RefOr::T(Schema::Object(metadata))) = change.properties.get_mut("metadata") {
            let value = Object::with_type(SchemaType::from_iter([Type::String, Type::Null]));
            metadata.additional_properties = Some(Box::new(AdditionalProperties::from(Schema::from(value))));
        }
        change.into()
    }
}

/// The fields of [`Customer`] that a caller gives, so that a new field is described where it is.
fn given_fields(description: &str, required: &[&str]) -> Object {
    let RefOr::T(Schema::Object(mut object)) = <Customer as utoipa::PartialSchema>::schema() else {
        return Object::new();
    };
    let is_given = |field: &RefOr<Schema>| match field {
        RefOr::T(Schema::Object(field)) => field.read_only != Some(true),
        _ => true,
    };
    object.properties.retain(|_, field| is_given(field));
    object.required.retain(|field| required.contains(&field.as_str()));
    object.description = Some(description.to_owned());
    object
}

/// Many new customers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; batch_create reads it")]
struct CustomerBatch {
    #[schema(max_items = 10_000)]
    customers: Vec<CustomerFields>,
    /// Create those that can be created, and say what is wrong with the others.
    #[schema(required = false)]
    partial: bool,
}

/// A page of customers.
#[derive(Serialize, ToSchema)]
struct CustomerPage {
    customers: Vec<Customer>,
    /// The `cursor` of the next page; null on the last one.
    next: Option<String>,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list reads it")]
struct ListParameters {
    /// How many customers
    #[param(required = false, minimum = 1, maximum = 1000, default = 20)]
    limit: i64,
    /// How many customers to step over
    #[param(required = false, minimum = 0, maximum = 10_000, default = 0)]
    offset: i64,
    /// The `next` of the page before
    #[param(required = false)]
    cursor: String,
    /// Only customers with this e-mail address
    #[param(required = false)]
    email: String,
    /// Only customers with this phone number, whatever signs stand between its digits
    #[param(required = false)]
    phone: String,
}

/// The routes of customers.
pub(crate) fn routes() -> OpenApiRouter<Customers> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(read, update, delete))
        .routes(routes!(batch_create))
        .routes(routes!(history::history))
        .merge(streams::routes())
}

/// The limits of batches, over both transports, and of streams.
pub(crate) fn limits() -> Vec<RouteLimits> {
    let paths = [
        "/api/v1/customers/batch",
        "/pando.customers.v1.CustomerService/BatchCreate",
        "/customer.v1.CustomerService/BatchCreate",
    ];
    let batch = |path| RouteLimits {
        path,
        body_bytes_max: Some(BATCH_BYTES_MAX),
        deadline_ms: Some(BATCH_MS_MAX),
        ..RouteLimits::default()
    };
    paths.map(batch).into_iter().chain([streams::IMPORT]).collect()
}

/// Create a customer
#[utoipa::path(post, path = "/api/v1/customers", tag = "customers", request_body = CustomerFields, params(KeyParameter),
    responses((status = 201, description = "The customer", body = Customer), KeyRefused,
        (status = 409, description = "The id is taken"), (status = 422, description = "Every bad field")))]
async fn create(
    State(customers): State<Customers>,
    keyed: Keyed,
    body: JsonDocument,
) -> Result<Response, Problem> {
    let fields = body.into_object()?;
    let (given, ignored) = (given(&fields)?, ignored(&fields));
    let call = keyed.of_operation(CREATE, || content(&given));
    let done = customers.create_customer(&call, given).await?;
    let place = format!("/api/v1/customers/{}", done.value.id);
    let answer =
        WriteAnswer::json(StatusCode::CREATED, &done, &shown(&done.value)).version(1).location(&place);
    Ok(with_ignored(answer.into_response(), ignored))
}

/// Read a customer
#[utoipa::path(get, path = "/api/v1/customers/{id}", tag = "customers", params(("id" = String, Path)),
    responses((status = 200, description = "The customer", body = Customer), (status = 404, description = "There is none")))]
async fn read(
    State(customers): State<Customers>,
    Caller(call): Caller,
    axum::extract::Path(id): axum::extract::Path<String>,
    IfNoneMatch(known): IfNoneMatch,
) -> Result<Response, Problem> {
    let found = customers.get_customer(&call, &id).await?;
    cached(&found, &known, |found| {
        let customer =
            Customer::of_message(&Raw::from_bytes(found.bytes().clone())).map_err(Fault::internal)?;
        Ok(json(serde_json::to_vec(&shown(&customer)).map_err(Fault::from)?.into()))
    })
}

/// List customers, the newest first
#[utoipa::path(get, path = "/api/v1/customers", tag = "customers", params(ListParameters),
    responses((status = 200, description = "A page", body = CustomerPage), (status = 422, description = "Bad parameters")))]
async fn list(
    State(customers): State<Customers>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let number = |number: Option<i64>| number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let limit = number(query.integer("limit", 1..=1_000)).unwrap_or(LIMIT.0);
    let offset = number(query.integer("offset", 0..=10_000)).unwrap_or(0);
    let (cursor, email, phone) = (query.text("cursor"), query.text("email"), query.text("phone"));
    query.finish()?;
    let after =
        cursor.filter(|cursor| !cursor.is_empty()).map(|cursor| decode_cursor(&cursor)).transpose()?;
    let (email, phone) = (email.unwrap_or_default(), phone.unwrap_or_default());
    let question = Question { limit, offset, after, email, phone };
    let page = customers.list_customers(&call, question).await?;
    let page = ListResponse::decode(page.bytes().clone()).map_err(Fault::internal)?;
    let customers: Result<Vec<_>, _> = page.customers.iter().map(Customer::of_message).collect();
    let customers = customers.map_err(Fault::internal)?.iter().map(shown).collect();
    let next = Some(page.next_page_token).filter(|next| !next.is_empty());
    Ok(json(serde_json::to_vec(&CustomerPage { customers, next }).map_err(Fault::from)?.into()))
}

/// Change fields of a customer
#[utoipa::path(patch, path = "/api/v1/customers/{id}", tag = "customers", request_body = CustomerChange,
    params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The customer", body = Customer), KeyRefused,
        (status = 404, description = "There is none"), (status = 412, description = "It has another version"),
        (status = 422, description = "Every bad field")))]
async fn update(
    State(customers): State<Customers>,
    axum::extract::Path(id): axum::extract::Path<String>,
    headers: HeaderMap,
    keyed: Keyed,
    body: JsonDocument,
) -> Result<Response, Problem> {
    let expected = expected(&headers, false)?;
    let fields = body.into_object()?;
    let ignored = ignored(&fields);
    let update = change(id, fields)?;
    let call = keyed.of_operation(UPDATE, || content(&(&update, &expected)));
    let done = customers.update_customer(&call, &expected, update).await?;
    let answer = WriteAnswer::json(StatusCode::OK, &done, &shown(&done.value)).version(done.value.version);
    Ok(with_ignored(answer.into_response(), ignored))
}

/// Delete a customer and everything known of it
#[utoipa::path(delete, path = "/api/v1/customers/{id}", tag = "customers", params(("id" = String, Path), KeyParameter),
    responses((status = 204, description = "It is deleted"), KeyRefused, (status = 404, description = "There is none"),
        (status = 412, description = "It has another version")))]
async fn delete(
    State(customers): State<Customers>,
    axum::extract::Path(id): axum::extract::Path<String>,
    headers: HeaderMap,
    keyed: Keyed,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&headers, false)?;
    let call = keyed.of_operation(DELETE, || content(&(&id, &expected)));
    let done = customers.delete_customer(&call, &expected, &id).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}

/// Create many customers
#[utoipa::path(post, path = "/api/v1/customers/batch", tag = "customers", request_body = CustomerBatch, params(KeyParameter),
    responses((status = 200, description = "The ids of the new customers, and those that were refused", body = Created),
        KeyRefused, (status = 409, description = "Ids are taken"), (status = 422, description = "Every bad field")))]
async fn batch_create(
    State(customers): State<Customers>,
    keyed: Keyed,
    body: JsonDocument,
) -> Result<WriteAnswer, Problem> {
    let fields = body.into_object()?;
    let mut reader = FieldReader::new(&fields);
    let partial = reader.flag("partial");
    let items = match fields.get("customers") {
        Some(Value::Array(items)) if items.len() <= BATCH_MAX => items.as_slice(),
        Some(Value::Array(_)) => {
            reader.refuse("customers", "too_many", "must have at most 10000 items");
            &[]
        }
        _ => {
            reader.refuse("customers", "required", "must be an array of customers");
            &[]
        }
    };
    reader.finish().map_err(Fault::from)?;
    let (mut batch, mut faults) = (Vec::with_capacity(items.len()), Vec::new());
    for (place, item) in items.iter().enumerate() {
        let at = format!("customers[{place}].");
        match item.as_object() {
            Some(fields) => batch.push(read_given(fields, &at, &mut faults)),
            None => {
                faults.push(FieldError::new(at.trim_end_matches('.').to_owned(), "type", "must be an object"))
            }
        }
    }
    refused(faults)?;
    let call = keyed.of_operation(BATCH_CREATE, || content(&(&batch, partial)));
    let done = customers.batch_create(&call, batch, partial).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}

/// Reads a customer, and refuses fields of a wrong type.
fn given(fields: &Map<String, Value>) -> Result<Given, Fault> {
    let mut faults = Vec::new();
    let given = read_given(fields, "", &mut faults);
    if !faults.is_empty() {
        // With everything else that is wrong.
        given.check(None, &mut faults);
    }
    refused(faults)?;
    Ok(given)
}

fn read_given(fields: &Map<String, Value>, at: &str, faults: &mut Vec<FieldError>) -> Given {
    let mut reader = FieldReader::new(fields);
    let given = Given::json(&mut reader);
    let wrong = reader.finish().err();
    faults.extend(
        wrong
            .iter()
            .flat_map(Violations::iter)
            .map(|fault| FieldError { field: format!("{at}{}", fault.field).into(), ..fault.clone() }),
    );
    given
}

/// A change of the fields that are there. Pairs of metadata are changed one by one.
fn change(id: String, mut fields: Map<String, Value>) -> Result<Update, Fault> {
    let mut mask = Vec::new();
    if let Some(Value::Object(pairs)) = fields.get_mut("metadata") {
        mask.extend(pairs.keys().map(|key| format!("metadata.{key}")));
        pairs.retain(|_, value| !value.is_null());
    } else if fields.contains_key("metadata") {
        mask.push("metadata".to_owned());
    }
    mask.extend(
        FIELDS
            .iter()
            .filter(|field| **field != "metadata" && fields.contains_key(**field))
            .map(ToString::to_string),
    );
    let mut faults = Vec::new();
    let given = Given { id, ..read_given(&fields, "", &mut faults) };
    if mask.is_empty() {
        let message = format!("must name a field to change: {}", FIELDS.join(", "));
        faults.push(FieldError::new("body", "required", message));
    }
    refused(faults)?;
    Ok(Update::new(given, mask))
}

/// The names of the fields that no customer has, or that a caller cannot set.
fn ignored(fields: &Map<String, Value>) -> Option<HeaderValue> {
    let is_known = |name: &&str| *name == "id" || FIELDS.contains(name);
    ignored_fields(fields.keys().map(String::as_str).filter(|name| !is_known(name)))
}

/// A customer as JSON shows it: without the fields that we do not know.
fn shown(customer: &Customer) -> Customer {
    Customer { unknown: Vec::new(), ..customer.clone() }
}
