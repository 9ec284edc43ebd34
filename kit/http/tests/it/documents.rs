//! The OpenAPI document and the page that shows it.

use serde_json::Value;

use crate::harness::Running;

#[tokio::test]
async fn the_document_describes_every_route_and_its_problems() {
    let server = Running::start(|_| {});
    let answer = server.get("/openapi.json").await;
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["info"]["title"], "Test");
    for path in ["/hello", "/items/{id}", "/items:batch", "/health", "/metrics", "/openapi.json", "/docs"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert!(document["paths"]["/undocumented"].is_null());
    let put = &document["paths"]["/items/{id}"]["put"]["responses"];
    for status in ["200", "400", "404", "408", "413", "414", "415", "431", "500", "503", "504", "507"] {
        assert!(put[status].is_object(), "{status}");
    }
    for status in ["415", "507"] {
        assert!(document["paths"]["/hello"]["get"]["responses"][status].is_null(), "{status}");
    }
    let schema = &put["404"]["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(schema, "#/components/schemas/Problem");
    let properties = &document["components"]["schemas"]["Problem"]["properties"];
    for member in ["type", "title", "status", "detail", "instance", "error", "code", "request_id", "errors"] {
        assert!(properties[member].is_object(), "{member}");
    }
    references_lead_somewhere(&document, &document);

    let request =
        format!("GET /openapi.json HTTP/1.1\r\nhost: x\r\nif-none-match: {}\r\n\r\n", answer.header("etag"));
    assert_eq!(server.ask(&request).await.status, 304);
    server.stop().await;
}

fn references_lead_somewhere(value: &Value, document: &Value) {
    match value {
        Value::Object(entries) => {
            if let Some(Value::String(reference)) = entries.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("a reference inside the document");
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            entries.values().for_each(|entry| references_lead_somewhere(entry, document));
        }
        Value::Array(items) => items.iter().for_each(|item| references_lead_somewhere(item, document)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let server = Running::start(|_| {});
    for (path, media) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/docs.css", "text/css; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
        ("/docs/icon.svg", "image/svg+xml"),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, media));
        assert!(answer.header("content-security-policy").starts_with("default-src 'self'"));
        assert!(!answer.text().contains("https://"), "{path}");
        let confirmed =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nif-none-match: {}\r\n\r\n", answer.header("etag"));
        assert_eq!(server.ask(&confirmed).await.status, 304);
    }
    assert_eq!(server.get("/docs/nothing").await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn what_operations_do_with_headers_is_described() {
    let used = pando_http::HeaderUse {
        consistent: &["/items/{id}"],
        tagged: &["/items/{id}"],
        cached: &["/items/{id}"],
        writes: &[("put", "/items/{id}")],
    };
    let mut app = pando_http::App::new("Test", "1").describe("Read this first.").service(
        "test",
        crate::harness::test_routes(),
        Vec::new(),
    );
    pando_http::describe_headers(app.services[0].routes.get_openapi_mut(), &used);
    let document: Value = serde_json::from_str(&pando_http::document(app).unwrap()).unwrap();
    assert_eq!(document["info"]["description"], "Read this first.");
    let item = &document["paths"]["/items/{id}"];
    let asked = item["get"]["parameters"].as_array().unwrap();
    for name in ["Pando-Consistency", "If-None-Match"] {
        let parameter = asked.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!((&parameter["in"], &parameter["required"]), (&"header".into(), &false.into()), "{name}");
    }
    let told = &item["get"]["responses"]["200"]["headers"];
    assert!(told["ETag"].is_object() && told["X-Cache"].is_object(), "{told}");
    assert!(item["put"]["responses"]["200"]["headers"]["Pando-Consistency"].is_object());
    assert!(document["paths"]["/hello"]["get"]["responses"]["200"]["headers"]["X-Cache"].is_null());
}
