//! Error answers in a service's own form, those of the edge included.

use http::StatusCode;
use pando_http::{App, Code, ErrorShape, JsonBody, Problem, RouteLimits, ServiceRoutes};
use serde_json::json;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::harness::Running;

const SHAPE: ErrorShape = ErrorShape {
    prefix: "/shop/",
    media_type: "application/json",
    status: |problem| match problem.code() {
        Code::Invalid => StatusCode::BAD_REQUEST,
        _ => problem.status(),
    },
    write: |answer| {
        let message = answer.problem.detail();
        let body = json!({
            "message": message, "traceId": answer.request_id, "path": answer.path, "method": answer.method,
            "status": answer.status.as_u16(),
        });
        body.to_string().into_bytes()
    },
    schema: || ("ShopError", ObjectBuilder::new().title(Some("ShopError")).build().into()),
};

#[utoipa::path(post, path = "/shop/carts", responses((status = 200, description = "Always")))]
async fn carts(_body: JsonBody) -> Result<(), Problem> {
    Err(Problem::invalid(Vec::new()))
}

fn shop() -> App {
    let limits = RouteLimits { path: "/shop/carts", body_bytes_max: Some(100), ..RouteLimits::default() };
    let routes = OpenApiRouter::new().routes(routes!(carts));
    App::new("Test", "1").serve(ServiceRoutes::new("shop", routes, vec![limits]).error_shape(SHAPE))
}

#[tokio::test]
async fn every_error_on_the_paths_of_a_service_has_its_form() {
    let server = Running::start_app(|_| {}, shop());
    let large = vec![b' '; 101];
    for (answer, status) in [
        (server.post("/shop/carts", "application/json", b"{}").await, 400),
        (server.post("/shop/carts", "application/json", b"{").await, 400),
        (server.post("/shop/carts", "application/json", &large).await, 413),
        (server.post("/shop/carts", "text/plain", b"{}").await, 415),
        (server.get("/shop/carts").await, 405),
        (server.get("/shop/nowhere").await, 404),
    ] {
        let body = answer.json();
        assert_eq!((answer.status, &body["status"]), (status, &json!(status)), "{body}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(body["traceId"], answer.header("x-request-id"));
        assert!(body["path"].as_str().unwrap().starts_with("/shop/") && body["message"].is_string());
    }
    server.get("/nowhere").await.is_problem(Code::NotFound);
    server.stop().await;
}

#[tokio::test]
async fn the_document_describes_errors_in_the_form_they_have() {
    let server = Running::start_app(|_| {}, shop());
    let document = server.get("/openapi.json").await.json();
    let schema = |path: &str, method: &str, media: &str| {
        let response = &document["paths"][path][method]["responses"]["400"];
        response["content"][media]["schema"]["$ref"].clone()
    };
    assert_eq!(schema("/shop/carts", "post", "application/json"), "#/components/schemas/ShopError");
    assert_eq!(document["components"]["schemas"]["ShopError"]["title"], "ShopError");
    assert_eq!(schema("/hello", "get", "application/problem+json"), "#/components/schemas/Problem");
    server.stop().await;
}
