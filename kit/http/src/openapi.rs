//! One router, one route table and one OpenAPI document out of every service's routes.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use pando_telemetry::Metrics;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error_shape::{ErrorShape, ErrorShapes};
use crate::operation_names::{SYSTEM, name_operations, operations};
use crate::problem::{FieldError, ProblemDocument};
use crate::routes::RouteTable;
use crate::scopes::{describe_credentials, describe_scopes};
use crate::static_files::{StaticFile, StaticFiles, answer_bytes, content_etag};
use crate::{App, Code, GrpcRoutes, HttpError, HttpOptions, ServiceRoutes, health};

/// The page at `/docs`.
const PAGE: [StaticFile; 4] = [
    StaticFile {
        path: "index.html",
        media_type: "text/html; charset=utf-8",
        bytes: include_bytes!("../docs/index.html"),
        hashed: false,
        encoded: &[],
    },
    StaticFile {
        path: "docs.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../docs/docs.css"),
        hashed: false,
        encoded: &[],
    },
    StaticFile {
        path: "docs.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../docs/docs.js"),
        hashed: false,
        encoded: &[],
    },
    StaticFile {
        path: "icon.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("../docs/icon.svg"),
        hashed: false,
        encoded: &[],
    },
];

const CONTENT_SECURITY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The document, written once at the start.
#[derive(Clone)]
struct Documents {
    json: Arc<OnceLock<(Bytes, HeaderValue)>>,
    page: StaticFiles,
}

/// The router, the route table and the document, made from the routes of the services and of the server itself.
pub(crate) struct Assembled {
    pub(crate) router: axum::Router,
    pub(crate) table: RouteTable,
    json: String,
}

/// The OpenAPI document of an app as `/openapi.json` has it, in JSON, without a server.
///
/// No handler is called, so routes that consist of a description only ([`OpenApiRouter::with_openapi`]) work as well.
pub fn document(app: App) -> Result<String, HttpError> {
    Ok(assemble(app, &HttpOptions::default(), &Metrics::new(), &Arc::default())?.json)
}

/// Joins the services and the server's own routes.
pub(crate) fn assemble(
    app: App,
    options: &HttpOptions,
    metrics: &Metrics,
    draining: &Arc<AtomicBool>,
) -> Result<Assembled, HttpError> {
    let documents = Documents { json: Arc::new(OnceLock::new()), page: StaticFiles::new(&PAGE) };
    let pages = OpenApiRouter::new()
        .routes(routes!(openapi_json))
        .routes(routes!(docs_page))
        .routes(routes!(docs_file))
        .with_state(documents.clone());
    let (health, readiness) = health::routes(&app.version, app.dependencies, draining, metrics, options);

    let mut table = RouteTable::new(options, metrics);
    let mut router = axum::Router::new();
    let mut document = OpenApi::default();
    let mut system = ServiceRoutes::new(SYSTEM, health.merge(pages), Vec::new());
    let grpc: Vec<&GrpcRoutes> = app.services.iter().filter_map(|service| service.grpc.as_ref()).collect();
    if let Some(of_system) = app.grpc_system.filter(|_| !grpc.is_empty()) {
        let bad = |reason| HttpError::Route { path: "/grpc.health.v1.Health".to_owned(), reason };
        system.grpc = Some(of_system(&grpc, readiness).map_err(bad)?);
    }
    for service in app.services.into_iter().chain([system]) {
        let ServiceRoutes { name, routes, limits, hot, errors, grpc, is_for_operators, is_unlisted } =
            service;
        let (part, mut part_document) = routes.split_for_parts();
        table.is_for_operators = app.is_for_operators || is_for_operators;
        // The table first: it reports a path that two services claim, where the router would panic.
        if let Some(grpc) = &grpc {
            table.add_grpc(name, grpc, &limits, options)?;
        }
        table.add(name, &part_document, &limits, options)?;
        for hot in hot.into_iter().filter(|_| options.hot_reads) {
            table.heat(hot)?;
        }
        errors.into_iter().for_each(|shape| table.error_shapes.add(shape));
        router = router.merge(part);
        if is_unlisted {
            continue;
        }
        describe_scopes(name, &mut part_document);
        check_schemas(&document, &part_document)?;
        document.merge(part_document);
    }
    document.info =
        InfoBuilder::new().title(app.title).version(app.version).description(app.description).build();
    name_operations(&mut document)?;
    describe_credentials(&mut document);
    document_problems(&mut document, &table.error_shapes);
    let json = document
        .to_json()
        .map_err(|error| HttpError::Route { path: "/openapi.json".to_owned(), reason: error.to_string() })?;
    documents.json.get_or_init(|| (Bytes::from(json.clone()), content_etag(json.as_bytes())));
    Ok(Assembled { router, table, json })
}

/// Merging would keep one of two different schemas with the same name without a word.
fn check_schemas(document: &OpenApi, part: &OpenApi) -> Result<(), HttpError> {
    let (Some(known), Some(new)) = (&document.components, &part.components) else { return Ok(()) };
    let other =
        new.schemas.iter().find(|(name, schema)| known.schemas.get(*name).is_some_and(|it| it != *schema));
    match other {
        Some((name, _)) => Err(HttpError::Route {
            path: "/openapi.json".to_owned(),
            reason: format!("two services describe different schemas of the name {name}"),
        }),
        None => Ok(()),
    }
}

/// Documents on every operation the error answers that the server can give without the handler.
fn document_problems(document: &mut OpenApi, shapes: &ErrorShapes) {
    let components = document.components.get_or_insert_default();
    components.schemas.insert("FieldError".to_owned(), FieldError::schema());
    components.schemas.insert("Problem".to_owned(), ProblemDocument::schema());
    for shape in shapes.all() {
        let (name, schema) = (shape.schema)();
        components.schemas.insert(name.to_owned(), schema);
    }
    let paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in paths {
        let in_path = path.contains('{');
        let shape = shapes.of(&path);
        for (method, operation) in operations(&mut item) {
            for code in common_codes(method, operation, in_path) {
                let status = code.status().as_str().to_owned();
                operation
                    .responses
                    .responses
                    .entry(status)
                    .or_insert_with(|| problem_response(code.title(), shape));
            }
            describe_bodies(operation, shape);
            describe_parameters(operation);
        }
        // The document knows no catch-all parameters; the router's `{*path}` is a plain one there.
        document.paths.paths.insert(path.replace("{*", "{"), item);
    }
}

fn common_codes(method: &str, operation: &Operation, in_path: bool) -> Vec<Code> {
    let has = |place: ParameterIn| {
        operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == place,
            RefOr::Ref(_) => true,
        })
    };
    let mut codes = vec![
        Code::Malformed,
        Code::UriTooLong,
        Code::HeaderTooLarge,
        Code::Internal,
        Code::Unavailable,
        Code::Timeout,
    ];
    if operation.security.as_ref().is_some_and(|needed| !needed.is_empty()) {
        codes.extend([Code::Unauthenticated, Code::Forbidden]);
    }
    if in_path || has(ParameterIn::Path) {
        codes.push(Code::NotFound);
    }
    // An operation that changes data can find that there is no room left.
    if matches!(method, "post" | "put" | "patch" | "delete") {
        codes.push(Code::StorageFull);
    }
    if operation.request_body.is_some() {
        codes.extend([Code::RequestTimeout, Code::TooLarge, Code::UnsupportedMedia]);
    }
    codes
}

/// An error that is documented without a body gets the body that all errors have.
fn describe_bodies(operation: &mut Operation, shape: Option<&ErrorShape>) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(bare) = response
            && status.starts_with(['4', '5'])
            && bare.content.is_empty()
        {
            let RefOr::T(problem) = problem_response(&bare.description, shape) else { continue };
            bare.content = problem.content;
        }
    }
}

/// Optional parameters can be absent but never null.
fn describe_parameters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        match &mut parameter.schema {
            Some(RefOr::T(Schema::Object(object))) => not_null(&mut object.schema_type),
            Some(RefOr::T(Schema::Array(array))) => not_null(&mut array.schema_type),
            Some(either @ RefOr::T(Schema::OneOf(_))) => {
                let RefOr::T(Schema::OneOf(one_of)) = &mut *either else { continue };
                one_of.items.retain(|item| !is_null(item));
                if let [only] = one_of.items.as_slice() {
                    *either = only.clone();
                }
            }
            _ => {}
        }
    }
}

fn not_null(schema_type: &mut SchemaType) {
    if let SchemaType::Array(types) = schema_type {
        types.retain(|one| *one != Type::Null);
        if let [only] = types.as_slice() {
            *schema_type = SchemaType::Type(only.clone());
        }
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn problem_response(description: &str, shape: Option<&ErrorShape>) -> RefOr<utoipa::openapi::Response> {
    let (name, media_type) = match shape {
        Some(shape) => ((shape.schema)().0, shape.media_type),
        None => ("Problem", "application/problem+json"),
    };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(name))).build();
    let response = ResponseBuilder::new().description(description).content(media_type, content);
    RefOr::T(response.build())
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "system", security(()), responses(
    (status = 200, description = "The OpenAPI 3.1 document", body = serde_json::Value),
    (status = 304, description = "The caller has it"),
))]
async fn openapi_json(State(documents): State<Documents>, headers: HeaderMap) -> Response {
    let json = HeaderValue::from_static("application/json");
    let cache = HeaderValue::from_static("no-cache");
    match documents.json.get() {
        Some((bytes, etag)) => answer_bytes(&headers, bytes, &json, etag, &cache),
        None => crate::Problem::internal("the OpenAPI document is not ready yet").into_response(),
    }
}

/// A page that shows this document and can send requests.
#[utoipa::path(get, path = "/docs", tag = "system", security(()), responses(
    (status = 200, description = "A page", body = String, content_type = "text/html"),
    (status = 304, description = "The caller has it"),
))]
async fn docs_page(State(documents): State<Documents>, headers: HeaderMap) -> Response {
    documents.page("index.html", &headers)
}

/// A file of the page.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the parameter")]
enum PageFile {
    #[schema(rename = "index.html")]
    Page,
    #[schema(rename = "docs.css")]
    Style,
    #[schema(rename = "docs.js")]
    Script,
    #[schema(rename = "icon.svg")]
    Icon,
}

/// The files of the page.
#[utoipa::path(get, path = "/docs/{file}", tag = "system", security(()),
    params(("file" = inline(PageFile), Path, description = "The name of the file")),
    responses(
        (status = 200, description = "A file", content(
            (String = "text/html"), (String = "text/css"), (String = "text/javascript"), (String = "image/svg+xml"))),
        (status = 304, description = "The caller has it"),
))]
async fn docs_file(
    State(documents): State<Documents>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    documents.page(&file, &headers)
}

impl Documents {
    fn page(&self, file: &str, headers: &HeaderMap) -> Response {
        let mut response = self.page.answer(file, headers);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY);
        response
    }
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::{Components, OpenApiBuilder};

    use super::*;

    #[test]
    fn a_name_stands_for_one_schema() {
        let document = |schema: RefOr<Schema>| {
            let mut components = Components::new();
            components.schemas.insert("Created".to_owned(), schema);
            OpenApiBuilder::new().components(Some(components)).build()
        };
        let (one, other) = (document(FieldError::schema()), document(ProblemDocument::schema()));
        assert!(check_schemas(&one, &one).is_ok());
        assert!(check_schemas(&OpenApi::default(), &one).is_ok());
        let refused = check_schemas(&one, &other).unwrap_err().to_string();
        assert!(refused.contains("different schemas of the name Created"), "{refused}");
    }
}
