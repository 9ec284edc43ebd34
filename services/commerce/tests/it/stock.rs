//! Units come in, come back, break and are counted; the ledger tells it page by page.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::inventory::{ledger_agrees, reserve};
use crate::{House, each_house};

async fn moved(house: &House, product: &Value, kind: &str, quantity: i64) -> (u16, Value) {
    let body = json!({"productId": product["id"], "kind": kind, "quantity": quantity, "reason": "count"});
    let answer = house.server.post("/api/inventory/movements", &body).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn movements_change_the_numbers_and_the_ledger_tells_them_page_by_page() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        assert_eq!(reserve(&house, Uuid::from_u128(1), &[(&tea, 2)]).await.status, 201);
        for (kind, quantity, available) in
            [("RESTOCK", 5, 13), ("RETURN", 1, 14), ("DAMAGE", 4, 10), ("ADJUSTMENT", -10, 0)]
        {
            let (status, answer) = moved(&house, &tea, kind, quantity).await;
            assert_eq!((status, &answer["data"]["available"]), (201, &json!(available)), "{answer}");
        }
        assert_eq!(ledger_agrees(&house, &tea).await, (0, 2));
        let (status, short) = moved(&house, &tea, "DAMAGE", 1).await;
        assert_eq!((status, &short["code"]), (422, &json!("INSUFFICIENT_STOCK")), "{short}");
        for _ in 0..2 {
            let (status, full) = moved(&house, &tea, "RESTOCK", 999_999).await;
            let expected = if full["code"].is_null() { 201 } else { 422 };
            assert_eq!(status, expected, "{full}");
        }
        assert_eq!(ledger_agrees(&house, &tea).await, (999_999, 2));
        assert_eq!(house.units(&tea).await, 999_999);
        let place = format!("/api/inventory/{}", tea["id"].as_str().unwrap());
        let stock = house.server.get(&place).await.json()["data"].clone();
        assert_eq!((&stock["total"], &stock["reorderPoint"]), (&json!(1_000_001), &json!(10)));
        let first = house.server.get(&format!("{place}/movements?size=4")).await.json();
        let kinds = |page: &Value| -> Vec<String> {
            let data = page["data"].as_array().unwrap();
            data.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(kinds(&first), ["RESTOCK", "ADJUSTMENT", "DAMAGE", "RETURN"]);
        assert_eq!(first["pagination"]["totalElements"], 7);
        let next =
            format!("{place}/movements?size=4&cursor={}", first["pagination"]["next"].as_str().unwrap());
        let next = house.server.get(&next).await.json();
        assert_eq!(kinds(&next), ["RESTOCK", "RESERVATION", "RESTOCK"]);
        let second = house.server.get(&format!("{place}/movements?size=4&page=1")).await.json();
        assert_eq!(second["data"], next["data"]);
    })
    .await;
}

#[tokio::test]
async fn a_reorder_point_is_changed_and_bad_movements_name_their_fields() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let place = format!("/api/inventory/{}", tea["id"].as_str().unwrap());
        let changed = house.ask(Method::PUT, &place, &json!({"reorderPoint": 3})).await;
        assert_eq!((changed.status.as_u16(), &changed.json()["data"]["lowStock"]), (200, &json!(false)));
        let changed = house.ask(Method::PUT, &place, &json!({"reorderPoint": 10})).await;
        assert_eq!(changed.json()["data"]["lowStock"], true);
        assert_eq!(house.ask(Method::PUT, &place, &json!({"reorderPoint": -1})).await.status, 400);
        let bad =
            house.server.post("/api/inventory/movements", &json!({"kind": "SALE", "quantity": 0})).await;
        let error = bad.json();
        let fields = error["fieldErrors"].as_array().unwrap();
        let fields: Vec<&str> = fields.iter().map(|one| one["field"].as_str().unwrap()).collect();
        assert_eq!((bad.status.as_u16(), fields), (400, vec!["productId", "kind", "quantity"]));
        let nothing = json!({"id": Uuid::from_u128(9)});
        assert_eq!(moved(&house, &nothing, "RESTOCK", 1).await.0, 404);
        assert_eq!(house.server.get(&format!("/api/inventory/{}", Uuid::from_u128(9))).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn availability_is_told_for_many_products_at_once() {
    each_house(async |house| {
        let (tea, gone) = (house.product(json!({})).await, house.product(json!({"stockQuantity": 0})).await);
        let ids = json!({"productIds": [gone["id"], tea["id"], Uuid::from_u128(9)]});
        let answer = house.server.post("/api/inventory/availability", &ids).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        assert_eq!(answer["status"], "AVAILABLE");
        let expected: Vec<Value> = [(&gone["id"], "Tea", 0), (&tea["id"], "Tea", 10)]
            .iter()
            .map(|(id, name, count)| {
                json!({"productId": id, "productName": name, "availableQuantity": count, "inStock": *count > 0})
            })
            .collect();
        assert_eq!(answer["products"].as_array().unwrap()[..2], expected);
        assert_eq!(answer["products"][2]["inStock"], false);
        let many: Vec<Uuid> = (0..101).map(Uuid::from_u128).collect();
        for bad in [json!({}), json!({"productIds": []}), json!({"productIds": ["x"]}), json!({"productIds": many})] {
            assert_eq!(house.server.post("/api/inventory/availability", &bad).await.status, 400, "{bad}");
        }
    })
    .await;
}
