//! Products are added, read, listed, changed and deleted.

use http::Method;
use serde_json::{Value, json};

use crate::{each_house, path};

#[tokio::test]
async fn a_product_is_read_as_it_was_added_under_both_paths() {
    each_house(async |house| {
        let made = house.product(json!({"sku": "TEA-1", "weight": 0.25, "tags": ["hot"]})).await;
        assert_eq!(made["price"], json!(29.99));
        assert_eq!(made["category"], "Kitchen");
        for place in [path(&made), path(&made).replace("/api/products", "/api/catalog/products")] {
            let read = house.server.get(&place).await;
            assert_eq!((read.status.as_u16(), &read.json()["data"]), (200, &made), "{place}");
        }
        let again = house.server.get(&path(&made)).await;
        assert!(again.headers["x-cache"].to_str().unwrap().starts_with("l1"), "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn a_changed_product_is_read_at_once_and_a_deleted_one_is_gone() {
    each_house(async |house| {
        let made = house.product(json!({})).await;
        let tag = house.server.get(&path(&made)).await.headers["etag"].to_str().unwrap().to_owned();
        let change = json!({"price": 31, "stockQuantity": 4, "category": "Table"});
        let changed =
            house.server.ask(Method::PUT, &path(&made), &[("if-match", &tag)], change.to_string()).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let read = house.server.get(&path(&made)).await.json();
        assert_eq!(read["data"], changed.json()["data"]);
        assert_eq!(
            (&read["data"]["price"], &read["data"]["stockQuantity"], &read["data"]["category"]),
            (&json!(31), &json!(4), &json!("Table"))
        );
        let stale = house.server.ask(Method::PUT, &path(&made), &[("if-match", &tag)], "{}").await;
        assert_eq!(stale.status, 412, "{stale:?}");
        assert_eq!(house.ask(Method::DELETE, &path(&made), &Value::Null).await.status, 204);
        let gone = house.server.get(&path(&made)).await;
        assert_eq!((gone.status.as_u16(), &gone.json()["code"]), (404, &json!("RESOURCE_NOT_FOUND")));
        // The SKU is free again.
        house.product(json!({"sku": made["sku"]})).await;
    })
    .await;
}

#[tokio::test]
async fn the_catalog_is_sorted_filtered_and_read_page_by_page() {
    each_house(async |house| {
        for number in 0..7 {
            let category = if number % 2 == 0 { "Even" } else { "Odd" };
            let stock = if number < 5 { 1 } else { 0 };
            let name = format!("Product {}", 6 - number);
            let fields = json!({"name": name, "price": number, "category": category, "stockQuantity": stock});
            house.product(fields).await;
        }
        house.product(json!({"name": "Hidden", "active": false})).await;
        let prices = async |query: &str| -> (Vec<i64>, Value) {
            let page = house.server.get(&format!("/api/products?{query}")).await;
            assert_eq!(page.status, 200, "{query}: {page:?}");
            let page = page.json();
            let data = page["data"].as_array().unwrap();
            (data.iter().map(|one| one["price"].as_i64().unwrap()).collect(), page["pagination"].clone())
        };
        let (first, page) = prices("sortBy=price&size=3").await;
        assert_eq!(first, [0, 1, 2]);
        assert_eq!(
            (&page["page"], &page["size"], &page["totalElements"], &page["totalPages"]),
            (&json!(0), &json!(3), &json!(7), &json!(3))
        );
        assert_eq!(prices("sort=price&size=3&page=2").await.0, [6]);
        let (next, _) =
            prices(&format!("sortBy=price&size=3&cursor={}", page["next"].as_str().unwrap())).await;
        assert_eq!(next, [3, 4, 5]);
        assert_eq!(prices("sortBy=price&sortDirection=desc&category=odd").await.0, [5, 3, 1]);
        assert_eq!(prices("size=2").await.0, [6, 5]);
        assert_eq!(prices("sortBy=price&inStock=true").await.0, [0, 1, 2, 3, 4]);
        assert_eq!(prices("category=nothing&unknown=1").await.1["totalElements"], 0);
    })
    .await;
}

#[tokio::test]
async fn bad_requests_get_the_published_form_with_every_bad_field() {
    each_house(async |house| {
        house.product(json!({"sku": "TEA-1"})).await;
        let bad = house.server.post("/api/products", &json!({"price": -1, "stockQuantity": 1.5})).await;
        let error = bad.json();
        assert_eq!((bad.status.as_u16(), &error["code"]), (400, &json!("VALIDATION_ERROR")));
        let fields: Vec<&str> = error["fieldErrors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["price", "stockQuantity", "name", "category"]);
        let rejected: Vec<&Value> =
            error["fieldErrors"].as_array().unwrap().iter().map(|one| &one["rejectedValue"]).collect();
        assert_eq!(
            (rejected, &error["errorCount"]),
            (vec![&json!(-1), &json!(1.5), &Value::Null, &Value::Null], &json!(4))
        );
        let long = house.server.get(&format!("/api/products?size={}", "9".repeat(300))).await.json();
        assert_eq!(long["fieldErrors"][0]["rejectedValue"], "***");
        let long = house.server.get(&format!("/api/products?sortBy={}", "x".repeat(300))).await.json();
        assert_eq!(long["fieldErrors"][0]["rejectedValue"], "x".repeat(200));
        for member in ["message", "traceId", "timestamp", "path", "method", "service", "title", "detail"] {
            assert!(error[member].is_string(), "{member}: {error}");
        }
        let fields = json!({"name": "Tea", "price": 1, "category": "Kitchen", "sku": "TEA-1"});
        let taken = house.server.post("/api/products", &fields).await;
        assert_eq!((taken.status.as_u16(), &taken.json()["code"]), (409, &json!("DUPLICATE_RESOURCE")));
        let key = [("idempotency-key", "k1")];
        let (one, other) = (
            json!({"name": "A", "price": 1, "category": "B"}),
            json!({"name": "C", "price": 1, "category": "B"}),
        );
        let first = house.server.ask(Method::POST, "/api/products", &key, one.to_string()).await;
        let again = house.server.ask(Method::POST, "/api/products", &key, one.to_string()).await;
        assert_eq!((first.status.as_u16(), first.json()), (again.status.as_u16(), again.json()));
        let reused = house.server.ask(Method::POST, "/api/products", &key, other.to_string()).await;
        assert_eq!(reused.status, 422, "{reused:?}");
        for (path, status) in
            [("/api/products/7", 400), ("/api/products?size=0", 400), ("/api/products/x/y", 404)]
        {
            let answer = house.server.get(path).await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            assert!(answer.json()["code"].is_string(), "{path}: {answer:?}");
        }
    })
    .await;
}
