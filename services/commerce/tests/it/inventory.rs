//! Units are reserved, released, sold, and let go when time is up; the ledger agrees with the numbers.

use std::time::Duration;

use http::Method;
use pando_database::{Query, params};
use pando_service::testing::{Answer, call};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{House, each_house, path};

static STOCK: Query = Query::scan(
    "test.stock",
    "select available, reserved, version from commerce_stock where product_id = $1",
);
static MOVEMENTS: Query = Query::scan(
    "test.movements",
    "select available_before, available_after, reserved_before, reserved_after, version from commerce_movements \
     where product_id = $1 order by version",
);

/// Reserves units of products for an order.
pub(crate) async fn reserve(house: &House, order: Uuid, items: &[(&Value, i64)]) -> Answer {
    let items: Vec<Value> = items
        .iter()
        .map(|(product, quantity)| json!({"productId": product["id"], "quantity": quantity}))
        .collect();
    house.server.post("/api/inventory/reserve", &json!({"orderId": order, "items": items})).await
}

/// Follows the ledger of a product from its first movement: each begins where the one before ended, and the last one ends at the
/// numbers of the stock.
pub(crate) async fn ledger_agrees(house: &House, product: &Value) -> (i64, i64) {
    let id = Uuid::try_parse(product["id"].as_str().unwrap()).unwrap();
    let call = call();
    let read = house.parts.database.read_primary(&call);
    let (mut available, mut reserved) = (0, 0);
    for row in read.rows(&MOVEMENTS, params![id]).await.unwrap() {
        let number = |place: usize| row.get::<i64>(place).unwrap();
        assert_eq!((number(0), number(2)), (available, reserved), "the ledger has a gap");
        (available, reserved) = (number(1), number(3));
    }
    let stock = read.row(&STOCK, params![id]).await.unwrap().unwrap();
    assert_eq!((stock.get::<i64>(0).unwrap(), stock.get::<i64>(1).unwrap()), (available, reserved));
    (available, reserved)
}

#[tokio::test]
async fn units_are_reserved_once_for_an_order_and_sold_or_released() {
    each_house(async |house| {
        let (tea, pot) = (house.product(json!({})).await, house.product(json!({"name": "Pot"})).await);
        let (sold, dropped) = (Uuid::from_u128(1), Uuid::from_u128(2));
        // Two lines of one product are added up.
        for _ in 0..2 {
            let kept = reserve(&house, sold, &[(&tea, 2), (&pot, 1), (&tea, 1)]).await;
            assert_eq!(kept.status, 201, "{kept:?}");
            let kept = kept.json();
            assert_eq!(
                (&kept["status"], &kept["success"], &kept["fallbackUsed"]),
                (&json!("RESERVED"), &json!(true), &json!(false))
            );
            assert_eq!(kept["items"].as_array().unwrap().len(), 2);
        }
        assert_eq!(ledger_agrees(&house, &tea).await, (7, 3));
        assert_eq!(house.units(&tea).await, 7);
        assert_eq!(reserve(&house, dropped, &[(&tea, 7)]).await.status, 201);
        let order = |id: Uuid| json!({"orderId": id});
        for (path, id, status) in [("confirm", sold, "CONFIRMED"), ("release", dropped, "RELEASED")] {
            for _ in 0..2 {
                let ended = house.server.post(&format!("/api/inventory/{path}"), &order(id)).await;
                assert_eq!((ended.status.as_u16(), &ended.json()["status"]), (200, &json!(status)));
            }
        }
        let late = house.server.post("/api/inventory/release", &order(sold)).await;
        assert_eq!(late.status, 409, "{late:?}");
        assert_eq!(ledger_agrees(&house, &tea).await, (7, 0));
        assert_eq!(ledger_agrees(&house, &pot).await, (9, 0));
        assert_eq!(house.units(&tea).await, 7);
    })
    .await;
}

#[tokio::test]
async fn if_one_product_is_short_nothing_is_reserved_and_it_is_named() {
    each_house(async |house| {
        let (tea, pot) = (house.product(json!({})).await, house.product(json!({"stockQuantity": 1})).await);
        let short = reserve(&house, Uuid::from_u128(1), &[(&tea, 1), (&pot, 2)]).await;
        let error = short.json();
        assert_eq!((short.status.as_u16(), &error["code"]), (422, &json!("INSUFFICIENT_STOCK")), "{error}");
        assert_eq!(error["fieldErrors"][0]["field"], pot["id"]);
        assert_eq!(ledger_agrees(&house, &tea).await, (10, 0));
        let unknown = json!({"id": Uuid::from_u128(9)});
        assert_eq!(reserve(&house, Uuid::from_u128(1), &[(&unknown, 1)]).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn units_that_are_not_paid_in_time_can_be_sold_again() {
    each_house(async |house| {
        let tea = house.product(json!({"stockQuantity": 1})).await;
        assert_eq!(reserve(&house, Uuid::from_u128(1), &[(&tea, 1)]).await.status, 201);
        house.clock.advance(Duration::from_secs(299));
        house.sweep().await;
        assert_eq!(ledger_agrees(&house, &tea).await, (0, 1));
        house.clock.advance(Duration::from_secs(1));
        house.sweep().await;
        assert_eq!(ledger_agrees(&house, &tea).await, (1, 0));
        assert_eq!(house.units(&tea).await, 1);
        let confirm =
            house.server.post("/api/inventory/confirm", &json!({"orderId": Uuid::from_u128(1)})).await;
        assert_eq!(confirm.status, 409, "{confirm:?}");
        // The order may try again.
        assert_eq!(reserve(&house, Uuid::from_u128(1), &[(&tea, 1)]).await.status, 201);
    })
    .await;
}

/// Many orders at once want more units than there are, with their lines in different orders: every unit goes once, and nobody waits
/// for ever.
#[tokio::test]
async fn the_last_units_go_to_as_many_orders_as_there_are_units() {
    each_house(async |house| {
        let (tea, pot) = (
            house.product(json!({"stockQuantity": 7})).await,
            house.product(json!({"stockQuantity": 7})).await,
        );
        let orders = (0..30_u128).map(|number| {
            let (house, tea, pot) = (&house, &tea, &pot);
            async move {
                let lines = if number % 2 == 0 { [(tea, 1), (pot, 1)] } else { [(pot, 1), (tea, 1)] };
                reserve(house, Uuid::from_u128(number + 1), &lines).await.status.as_u16()
            }
        });
        let statuses = futures_util::future::join_all(orders).await;
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 7, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 23, "{statuses:?}");
        assert_eq!(ledger_agrees(&house, &tea).await, (0, 7));
        assert_eq!(ledger_agrees(&house, &pot).await, (0, 7));
        let none = house.ask(Method::GET, "/api/products?inStock=true", &Value::Null).await.json();
        assert_eq!(none["pagination"]["totalElements"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_product_that_is_not_offered_cannot_be_reserved() {
    each_house(async |house| {
        let (hidden, gone) = (house.product(json!({})).await, house.product(json!({})).await);
        let there = house.product(json!({})).await;
        house.ask(Method::PUT, &path(&hidden), &json!({"active": false})).await;
        house.ask(Method::DELETE, &path(&gone), &Value::Null).await;
        for product in [&hidden, &gone] {
            let items = [
                json!({"productId": there["id"], "quantity": 1}),
                json!({"productId": product["id"], "quantity": 1}),
            ];
            let order = json!({"orderId": product["id"], "items": items});
            let refused = house.server.post("/api/inventory/reserve", &order).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.json()["code"]),
                (422, &json!("PRODUCT_NOT_AVAILABLE"))
            );
            assert_eq!(refused.json()["fieldErrors"][0]["field"], product["id"], "{refused:?}");
        }
        assert_eq!(house.units(&there).await, 10);
    })
    .await;
}

#[tokio::test]
async fn a_repeat_gets_the_answer_of_its_request_and_not_how_things_stand_now() {
    each_house(async |house| {
        let product = house.product(json!({})).await;
        let order = json!({"orderId": product["id"], "items": [{"productId": product["id"], "quantity": 2}]});
        let reserve = async || {
            let key = [("idempotency-key", "first")];
            house.server.ask(Method::POST, "/api/inventory/reserve", &key, order.to_string()).await
        };
        let first = reserve().await;
        let released = house.server.post("/api/inventory/release", &json!({"orderId": product["id"]})).await;
        assert_eq!(released.json()["status"], "RELEASED");
        house.ask(Method::PUT, &path(&product), &json!({"name": "Coffee"})).await;
        let again = reserve().await;
        assert_eq!((again.status.as_u16(), again.json()), (201, first.json()));
        assert_eq!(again.json()["status"], "RESERVED");
    })
    .await;
}
