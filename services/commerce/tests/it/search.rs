//! Products are found by their words.

use http::Method;
use pando_commerce::{Commerce, CommerceOptions, MIGRATIONS, ProductQuestion, Search};
use pando_database::{MigrationSet, Query, params};
use pando_service::testing::{self, call, still_clock};
use serde_json::{Value, json};

use crate::{House, each_house, path};

/// The names of the products that a query finds, in their order.
async fn names(house: &House, query: &str) -> Vec<String> {
    let page = house.server.get(&format!("/api/products?{query}")).await;
    assert_eq!(page.status, 200, "{query}: {page:?}");
    let page = page.json();
    let data = page["data"].as_array().unwrap();
    let names: Vec<String> = data.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    if !query.contains("page=") {
        assert_eq!(page["pagination"]["totalElements"], names.len(), "{query}");
    }
    names
}

#[tokio::test]
async fn a_search_finds_words_everywhere_and_has_the_best_first() {
    each_house(async |house| {
        for fields in [
            json!({"name": "Jug", "description": "for green tea"}),
            json!({"name": "Green Teapot", "price": 5}),
            json!({"name": "Green Tea", "price": 9}),
            json!({"name": "Cup", "brand": "Green", "tags": ["tea-time"], "stockQuantity": 0}),
            json!({"name": "Coffee", "category": "Äpfel"}),
        ] {
            house.product(fields).await;
        }
        assert_eq!(names(&house, "search=green+te").await, ["Green Tea", "Green Teapot", "Cup", "Jug"]);
        assert_eq!(names(&house, "search=GREEN+tea").await, ["Green Tea", "Green Teapot", "Cup", "Jug"]);
        assert_eq!(names(&house, "search=tea+green").await, ["Green Tea", "Cup", "Jug"]);
        assert_eq!(names(&house, "search=kitchen+jug").await, ["Jug"]);
        assert_eq!(names(&house, "search=%C3%84pfel").await, ["Coffee"]);
        assert_eq!(names(&house, "search=gree+tea").await, [""; 0]);
        assert_eq!(names(&house, "search=tea&maxPrice=9&sortBy=price").await, ["Green Teapot", "Green Tea"]);
        assert_eq!(
            names(&house, "search=tea&minPrice=5.01&inStock=true&sort=price&sortDirection=desc").await,
            ["Jug", "Green Tea"]
        );
        assert_eq!(names(&house, "search=green&size=1&page=1").await, ["Green Teapot"]);
        assert_eq!(names(&house, "search=green&category=kitchen&size=3&page=1").await, ["Jug"]);
    })
    .await;
}

#[tokio::test]
async fn a_search_follows_every_change() {
    each_house(async |house| {
        let made = house.product(json!({"name": "Old lamp"})).await;
        let changed = house.ask(Method::PUT, &path(&made), &json!({"name": "New lamp"})).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(names(&house, "search=old").await, [""; 0]);
        assert_eq!(names(&house, "search=new").await, ["New lamp"]);
        house.ask(Method::PUT, &path(&made), &json!({"category": "Light"})).await;
        assert_eq!(names(&house, "search=light+lamp").await, ["New lamp"]);
        house.ask(Method::PUT, &path(&made), &json!({"active": false})).await;
        assert_eq!(names(&house, "search=lamp").await, [""; 0]);
        house.ask(Method::PUT, &path(&made), &json!({"active": true})).await;
        assert_eq!(names(&house, "search=lamp").await, ["New lamp"]);
        assert_eq!(house.ask(Method::DELETE, &path(&made), &Value::Null).await.status, 204);
        assert_eq!(names(&house, "search=lamp").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn no_text_breaks_a_search() {
    each_house(async |house| {
        house.product(json!({"name": "Tea 'n' \"Toast\" & more | (all)"})).await;
        for text in [
            "%27",
            "%22",
            "%22%22",
            "toast+%22",
            "%27n%27",
            "%26+%7C+%21",
            "toast%3A*",
            "name%3Atoast",
            "-toast",
            "NEAR(a+b)",
            "%7Bname%7D+%3A+x",
            "%5E",
            "AND",
            "%5C",
            "%F0%9F%8D%B5",
            "%E0%A5%8D",
            "%C2%B2",
            "%EF%BC%91",
            "a%00b",
        ] {
            let page = house.server.get(&format!("/api/products?search={text}")).await;
            assert!([200, 400].contains(&page.status.as_u16()), "{text}: {page:?}");
        }
        assert_eq!(names(&house, "search=%22toast%22+%26+(tea)").await.len(), 1);
        for query in [
            format!("search={}", "a".repeat(101)),
            "search=tea&cursor=x".to_owned(),
            "minPrice=-1".into(),
            "maxPrice=x".into(),
        ] {
            let page = house.server.get(&format!("/api/products?{query}")).await;
            assert_eq!(page.status, 400, "{query}: {page:?}");
            assert!(page.json()["fieldErrors"][0]["field"].is_string(), "{query}: {page:?}");
        }
    })
    .await;
}

static CATEGORY: Query = Query::write(
    "test.category",
    "insert into commerce_categories (tenant, id, name, name_key, version, created_at, updated_at) \
     values ('', $1, 'Kitchen', 'kitchen', 1, $2, $2)",
);
static PRODUCT: Query = Query::write(
    "test.product",
    "insert into commerce_products (tenant, id, sku, name, name_key, description, price_minor, currency, category_id, brand, \
     image_urls, tags, metadata, active, in_stock, version, created_at, updated_at) \
     values ('', $1, 'OLD', 'Old lamp', 'old lamp', '', 1, 'USD', $1, '', '[]', '[]', '{}', true, true, 1, $2, $2)",
);
static STOCK: Query = Query::write(
    "test.stock",
    "insert into commerce_stock (tenant, product_id, available, reserved, reorder_point, version, updated_at) \
     values ('', $1, 1, 0, 1, 1, $2)",
);

#[tokio::test]
async fn products_that_are_older_than_the_index_of_words_are_found() {
    let before = MigrationSet { migrations: &MIGRATIONS.migrations[..2], ..MIGRATIONS };
    testing::each_house(&[before], still_clock, async |house| {
        let (parts, now) = (house.parts, still_clock().now());
        let mut tx = parts.database.transaction(&call()).await.unwrap();
        for query in [&CATEGORY, &PRODUCT, &STOCK] {
            tx.execute(query, params![uuid::Uuid::from_u128(1), now]).await.unwrap();
        }
        tx.commit().await.unwrap();
        parts.database.migrate(&[MIGRATIONS]).await.unwrap();
        let commerce = Commerce::new(&parts, CommerceOptions::default(), None).unwrap();
        let search = Search::parse("kitchen lamp");
        let question = ProductQuestion { size: 10, search, ..ProductQuestion::default() };
        let found = commerce.list_products(&call(), &question).await.unwrap();
        assert_eq!(found.products.len(), 1);
    })
    .await;
}
