//! The catalog is counted by what a question finds.

use serde_json::{Value, json};

use crate::{House, each_house};

async fn counts(house: &House, query: &str) -> Value {
    let answer = house.server.get(&format!("/api/products/facets?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()["data"].clone()
}

async fn total(house: &House, query: &str) -> Value {
    let page = house.server.get(&format!("/api/products?{query}")).await;
    assert_eq!(page.status, 200, "{query}: {page:?}");
    page.json()["pagination"]["totalElements"].clone()
}

#[tokio::test]
async fn counts_are_those_of_the_products_that_the_list_finds() {
    each_house(async |house| {
        let home = house.server.post("/api/categories", &json!({"name": "Home"})).await.json();
        let tea = json!({"name": "Tea", "parentId": home["data"]["id"]});
        assert_eq!(house.server.post("/api/categories", &tea).await.status, 201);
        for (name, category, brand, price, stock, tags) in [
            ("Green tea", "Tea", "Leaf", 5, 3, json!(["hot", "bio food"])),
            ("Black tea", "Tea", "Leaf", 7, 0, json!(["hot"])),
            ("Lamp", "Home", "Lux", 40, 1, json!(["Hot"])),
            ("Rake", "Garden", "", 20, 1, json!(["bio-food", "new"])),
        ] {
            let fields = json!({"name": name, "category": category, "brand": brand, "price": price,
                "stockQuantity": stock, "tags": tags});
            house.product(fields).await;
        }
        for query in [
            "",
            "category=home",
            "category=tea&inStock=true",
            "brand=Leaf",
            "brand=leaf",
            "minPrice=7&maxPrice=20",
            "search=tea",
            "tags=hot",
            "tags=hot,bio+food",
            "tags=bio-food&search=rake",
            "tags=hot&category=home&brand=Leaf&inStock=true",
            "category=nothing",
        ] {
            let counts = counts(&house, query).await;
            let total = total(&house, query).await;
            assert_eq!(counts["counted"], total, "{query}");
            assert_eq!(counts["isComplete"], true, "{query}");
            let in_prices: u64 =
                counts["prices"].as_array().unwrap().iter().map(|band| band["count"].as_u64().unwrap()).sum();
            assert_eq!(json!(in_prices), total, "{query}");
        }
        let all = counts(&house, "").await;
        let named = |kind: &str| -> Vec<(String, u64)> {
            let values = all[kind].as_array().unwrap().iter();
            values
                .map(|one| (one["name"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap()))
                .collect()
        };
        assert_eq!(named("categories"), [("Home".into(), 3), ("Tea".into(), 2), ("Garden".into(), 1)]);
        assert_eq!(named("brands"), [("Leaf".into(), 2), ("Lux".into(), 1)]);
        assert_eq!((&all["inStock"], &all["outOfStock"]), (&json!(3), &json!(1)));
        assert_eq!(all["prices"][0], json!({"minPrice": 5, "maxPrice": 5, "count": 1}));
        for (query, found) in [
            ("tags=hot", 2),
            ("tags=Hot", 1),
            ("tags=hot,bio+food", 1),
            ("tags=bio-food", 1),
            ("tags=bio", 0),
        ] {
            assert_eq!(total(&house, query).await, found, "{query}");
        }
        let page = house.server.get("/api/products?tags=hot&sortBy=price&sortDirection=desc").await.json();
        assert_eq!(page["data"][0]["name"], "Black tea");
    })
    .await;
}

#[tokio::test]
async fn a_question_that_cannot_be_counted_names_the_bad_parameter() {
    each_house(async |house| {
        for (query, field) in [
            ("tags=!", "tags"),
            ("tags=a,b,c,d,e,f", "tags"),
            ("minPrice=x", "minPrice"),
            ("categoryId=7", "categoryId"),
            ("inStock=maybe", "inStock"),
        ] {
            for path in ["/api/products", "/api/products/facets", "/api/catalog/products/facets"] {
                let refused = house.server.get(&format!("{path}?{query}")).await;
                assert_eq!(
                    (refused.status.as_u16(), &refused.json()["fieldErrors"][0]["field"]),
                    (400, &json!(field))
                );
            }
        }
        assert_eq!(house.server.get("/api/products?tags=a&cursor=x").await.status, 400);
    })
    .await;
}
