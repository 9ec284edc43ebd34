//! Orders are placed, paid, cancelled, packed and sent; the books agree at each step.

use std::time::Duration;

use http::Method;
use pando_service::testing::Answer;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::inventory::ledger_agrees;
use crate::{House, each_house};

pub(crate) fn address() -> Value {
    json!({"street": "1 Elm St", "city": "Springfield", "state": "IL", "zipCode": "62701", "country": "US"})
}

/// An order of these products, with a means of payment if there is one.
pub(crate) fn order_of(items: &[(&Value, i64)], method: Value) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(product, quantity)| json!({"productId": product["id"], "quantity": quantity}))
        .collect();
    json!({"items": items, "shippingAddress": address(), "paymentMethod": method})
}

/// A card by its token.
pub(crate) fn token(token: &str) -> Value {
    json!({"type": "CREDIT_CARD", "token": token})
}

/// Sends an order with this key.
pub(crate) async fn place(house: &House, key: &str, order: &Value) -> Answer {
    let headers = [("idempotency-key", key), ("content-type", "application/json")];
    house.server.ask(Method::POST, "/api/orders", &headers, order.to_string()).await
}

/// The order as it is now.
pub(crate) async fn order(house: &House, id: &Value) -> Value {
    house.server.get(&format!("/api/orders/{}", id.as_str().unwrap())).await.json()["data"].clone()
}

async fn put(house: &House, id: &Value, what: &str, body: &Value) -> (u16, Value) {
    let path = format!("/api/orders/{}/{what}", id.as_str().unwrap());
    let answer = house.ask(Method::PUT, &path, body).await;
    (answer.status.as_u16(), answer.json())
}

pub(crate) async fn cancel(house: &House, id: &Value) -> (u16, Value) {
    let path = format!("/api/orders/{}/cancel", id.as_str().unwrap());
    let answer = house.server.post(&path, &json!({"reason": "too many"})).await;
    (answer.status.as_u16(), answer.json())
}

fn states(order: &Value) -> Vec<&str> {
    order["history"].as_array().unwrap().iter().map(|step| step["to"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_order_with_a_card_is_paid_and_its_units_leave() {
    each_house(async |house| {
        let (tea, pot) = (house.product(json!({})).await, house.product(json!({"price": "5.01"})).await);
        let placed = place(&house, "k-1", &order_of(&[(&tea, 2), (&pot, 3)], token("tok_ok"))).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        let placed = placed.json();
        let id = placed["orderId"].clone();
        assert_eq!((&placed["data"]["id"], &placed["data"]["status"]), (&id, &json!("PENDING")));
        assert_eq!(placed["data"]["totalAmount"], json!(75.01));
        assert_eq!(placed["data"]["shippingAddress"], address());
        assert_eq!(ledger_agrees(&house, &tea).await, (8, 2));
        house.books_agree().await;
        house.work().await;
        let paid = order(&house, &id).await;
        assert_eq!(paid["status"], "CONFIRMED", "{paid}");
        assert_eq!(states(&paid), ["PENDING", "CONFIRMED"]);
        assert_eq!(paid["risk"]["decision"], "APPROVE");
        assert_eq!(ledger_agrees(&house, &tea).await, (8, 0));
        let payment =
            house.server.get(&format!("/api/payments/{}", paid["paymentId"].as_str().unwrap())).await.json();
        let payment = &payment["data"];
        assert_eq!(
            (&payment["status"], &payment["amount"]),
            (&json!("COMPLETED"), &json!(75.01)),
            "{payment}"
        );
        house.books_agree().await;
        for (status, number) in [("PROCESSING", ""), ("SHIPPED", "Z-7"), ("DELIVERED", "")] {
            let (code, moved) =
                put(&house, &id, "status", &json!({"status": status, "trackingNumber": number})).await;
            assert_eq!((code, &moved["data"]["status"]), (200, &json!(status)), "{moved}");
        }
        assert_eq!(order(&house, &id).await["trackingNumber"], "Z-7");
        let (code, late) = cancel(&house, &id).await;
        assert_eq!((code, &late["code"]), (409, &json!("BUSINESS_RULE_VIOLATION")), "{late}");
        house.books_agree().await;
    })
    .await;
}

#[tokio::test]
async fn a_card_that_is_declined_gives_the_units_back() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let placed =
            place(&house, "k-1", &order_of(&[(&tea, 2)], token("tok_insufficient_funds"))).await.json();
        house.work().await;
        let order = order(&house, &placed["orderId"]).await;
        assert_eq!(states(&order), ["PENDING", "CANCELLED"], "{order}");
        assert!(order["cancelReason"].as_str().unwrap().starts_with("the payment failed"), "{order}");
        assert_eq!(ledger_agrees(&house, &tea).await, (10, 0));
        house.books_agree().await;
    })
    .await;
}

/// The money moved and the answer was lost; or the question was lost. The order finds out which, and there is one charge.
#[tokio::test]
async fn an_outcome_that_nobody_knows_is_asked_for_and_not_guessed() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let placed = place(&house, "k-1", &order_of(&[(&tea, 1)], token("tok_unknown"))).await.json();
        let id = &placed["orderId"];
        house.work().await;
        assert_eq!(order(&house, id).await["status"], "PENDING_PAYMENT");
        let (code, busy) = cancel(&house, id).await;
        assert_eq!(code, 409, "{busy}");
        house.books_agree().await;
        // The reservation outlives its usual time, because the money may be here already.
        house.clock.advance(Duration::from_secs(3_600));
        house.run("reservation_sweep").await;
        house.run("order_sweep").await;
        house.run("payment_reconcile").await;
        let paid = order(&house, id).await;
        assert_eq!(states(&paid), ["PENDING", "PENDING_PAYMENT", "CONFIRMED"], "{paid}");
        house.books_agree().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_is_cancelled_once_and_its_money_goes_back() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let paid = place(&house, "k-1", &order_of(&[(&tea, 2)], token("tok_ok"))).await.json();
        let waiting = place(&house, "k-2", &order_of(&[(&tea, 3)], Value::Null)).await.json();
        house.work().await;
        for _ in 0..2 {
            let (code, gone) = cancel(&house, &waiting["orderId"]).await;
            assert_eq!((code, &gone["data"]["status"]), (200, &json!("CANCELLED")), "{gone}");
        }
        assert_eq!(ledger_agrees(&house, &tea).await, (8, 0));
        let (code, gone) = cancel(&house, &paid["orderId"]).await;
        assert_eq!((code, &gone["data"]["status"]), (200, &json!("CANCELLED")), "{gone}");
        house.books_agree().await;
        house.work().await;
        let back = order(&house, &paid["orderId"]).await;
        assert_eq!(states(&back), ["PENDING", "CONFIRMED", "CANCELLED", "REFUNDED"]);
        assert_eq!(ledger_agrees(&house, &tea).await, (10, 0));
        house.books_agree().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_is_cancelled() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let placed = place(&house, "k-1", &order_of(&[(&tea, 2)], json!("CREDIT_CARD"))).await.json();
        let id = &placed["orderId"];
        house.clock.advance(Duration::from_secs(30 * 60 - 1));
        house.run("order_sweep").await;
        assert_eq!(order(&house, id).await["status"], "PENDING");
        house.clock.advance(Duration::from_secs(1));
        house.run("order_sweep").await;
        let late = order(&house, id).await;
        assert_eq!(states(&late), ["PENDING", "CANCELLED"]);
        assert!(late["cancelReason"].as_str().unwrap().starts_with("ORDER_TIMEOUT"), "{late}");
        assert_eq!(ledger_agrees(&house, &tea).await, (10, 0));
        house.books_agree().await;
    })
    .await;
}

/// Its job comes late, its units are not reserved any more, and the product is not sold any more.
#[tokio::test]
async fn an_order_whose_product_went_away_before_it_was_charged_is_cancelled() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let placed = place(&house, "k-1", &order_of(&[(&tea, 1)], token("tok_ok"))).await.json();
        let waiting = place(&house, "k-2", &order_of(&[(&tea, 1)], Value::Null)).await.json();
        house.clock.advance(Duration::from_secs(301));
        let off = house.ask(Method::PUT, &crate::path(&tea), &json!({"active": false})).await;
        assert_eq!(off.status, 200, "{off:?}");
        for order in [&placed, &waiting] {
            let release = json!({"orderId": order["orderId"]});
            assert_eq!(house.server.post("/api/inventory/release", &release).await.status, 200);
        }
        house.work().await;
        assert_eq!(order(&house, &placed["orderId"]).await["status"], "CANCELLED");
        let body = json!({"orderId": waiting["orderId"], "amount": 29.99, "paymentMethod": token("tok_ok")});
        let refused = house.server.post("/api/payments", &body).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(house.server.get("/api/payments").await.json()["pagination"]["totalElements"], 0);
        assert_eq!(ledger_agrees(&house, &tea).await, (10, 0));
        house.books_agree().await;
    })
    .await;
}

/// Twenty times at once with one key: one order, one charge, equal answers. With another cart, the key is refused.
#[tokio::test]
async fn a_checkout_that_is_repeated_happens_once() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let body = order_of(&[(&tea, 1)], token("tok_ok"));
        let answers = futures_util::future::join_all((0..20).map(|_| place(&house, "k-1", &body))).await;
        let mut orders: Vec<Value> = Vec::new();
        for answer in &answers {
            // While the first is on its way, others are told to come again.
            match answer.status.as_u16() {
                201 => orders.push(answer.json()),
                409 => orders.push(place(&house, "k-1", &body).await.json()),
                _ => panic!("{answer:?}"),
            }
        }
        house.work().await;
        assert!(orders.iter().all(|order| order == &orders[0]), "{orders:?}");
        assert_eq!(orders.len(), 20);
        assert_eq!(ledger_agrees(&house, &tea).await, (9, 0));
        let payments = house.server.get("/api/payments").await.json();
        assert_eq!(payments["pagination"]["totalElements"], 1);
        let other = place(&house, "k-1", &order_of(&[(&tea, 2)], token("tok_ok"))).await;
        assert_eq!(other.status, 422, "{other:?}");
        house.books_agree().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_that_names_no_items_empties_the_cart() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let empty = json!({"shippingAddress": "1 Elm St", "userId": "ann"});
        let refused = place(&house, "k-1", &empty).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (422, &json!("CART_EMPTY")));
        let items = json!({"items": [{"productId": tea["id"], "quantity": 2}]});
        assert_eq!(house.ask(Method::PUT, "/api/cart/ann", &items).await.status, 200);
        let placed = place(&house, "k-2", &empty).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        assert_eq!(placed.json()["data"]["userId"], "ann");
        assert_eq!(house.server.get("/api/cart/ann").await.json()["data"]["totalItems"], 0);
        assert_eq!(ledger_agrees(&house, &tea).await, (8, 2));
        house.books_agree().await;
    })
    .await;
}

#[tokio::test]
async fn bad_orders_say_what_is_wrong_and_keep_nothing() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let yen = house.product(json!({"currency": "JPY", "price": 3000})).await;
        let gone = json!({"id": Uuid::from_u128(9)});
        let off = house.product(json!({"active": false})).await;
        let with = |more: Value| {
            let mut order = order_of(&[(&tea, 1)], Value::Null);
            order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            order
        };
        let dear = house.product(json!({"price": 9999, "stockQuantity": 100})).await;
        let cases = [
            (with(json!({"shippingAddress": null})), 400, "VALIDATION_ERROR", "shippingAddress"),
            (with(json!({"items": []})), 400, "ORDER_ITEMS_LIMIT_EXCEEDED", "items"),
            (with(json!({"items": [{"productId": tea["id"], "quantity": 51}]})), 400, "INVALID_QUANTITY", "items[0].quantity"),
            (order_of(&[(&tea, 1), (&gone, 1)], Value::Null), 422, "PRODUCT_NOT_AVAILABLE", "items[1].productId"),
            (order_of(&[(&off, 1)], Value::Null), 422, "PRODUCT_NOT_AVAILABLE", "items[0].productId"),
            (order_of(&[(&tea, 1), (&yen, 1)], Value::Null), 422, "BUSINESS_RULE_VIOLATION", "items"),
            (order_of(&[(&dear, 2)], Value::Null), 422, "ORDER_AMOUNT_INVALID", "items"),
            (order_of(&[(&tea, 11)], Value::Null), 422, "INSUFFICIENT_STOCK", tea["id"].as_str().unwrap()),
            (with(json!({"checkPrices": true, "items": [{"productId": tea["id"], "quantity": 1, "price": 29.98}]})), 409,
                "PRICE_CHANGED", "items[0].price"),
        ];
        for (number, (body, status, code, field)) in cases.iter().enumerate() {
            let answer = place(&house, &format!("k-{number}"), body).await;
            let error = answer.json();
            assert_eq!((answer.status.as_u16(), error["code"].as_str().unwrap()), (*status, *code), "{error}");
            assert_eq!(error["fieldErrors"][0]["field"], *field, "{error}");
        }
        let keyless = house.server.post("/api/orders", &order_of(&[(&tea, 1)], Value::Null)).await;
        assert_eq!((keyless.status.as_u16(), &keyless.json()["code"]), (400, &json!("IDEMPOTENCY_KEY_MISSING")));
        assert_eq!(house.server.get("/api/orders").await.json()["pagination"]["totalElements"], 0);
        assert_eq!(ledger_agrees(&house, &tea).await, (10, 0));
        // The price that the client knows is right, or does not matter; the key may be in the body.
        let known = json!({"checkPrices": true, "idempotencyKey": "b-1",
            "items": [{"productId": tea["id"], "quantity": "1", "price": "29.990"}]});
        assert_eq!(house.server.post("/api/orders", &with(known)).await.status, 201);
        let old = json!({"items": [{"productId": tea["id"], "quantity": 1, "price": 1}]});
        assert_eq!(place(&house, "k-20", &with(old)).await.status, 201);
        house.books_agree().await;
    })
    .await;
}

#[tokio::test]
async fn a_buyer_keeps_only_a_few_unpaid_orders_and_reads_them_page_by_page() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let mut ids = Vec::new();
        for number in 0..5 {
            let placed = place(&house, &format!("k-{number}"), &order_of(&[(&tea, 1)], Value::Null)).await;
            assert_eq!(placed.status, 201, "{placed:?}");
            ids.push(placed.json()["orderId"].clone());
        }
        let sixth = place(&house, "k-5", &order_of(&[(&tea, 1)], Value::Null)).await;
        assert_eq!(sixth.status, 422, "{sixth:?}");
        assert_eq!(cancel(&house, &ids[0]).await.0, 200);
        assert_eq!(place(&house, "k-6", &order_of(&[(&tea, 1)], Value::Null)).await.status, 201);
        let all = |page: &Value| -> Vec<Value> {
            page["data"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect()
        };
        let whole = house.server.get("/api/orders").await.json();
        assert_eq!((all(&whole).len(), &whole["pagination"]["totalElements"]), (6, &json!(6)));
        let first = house.server.get("/api/orders/me?size=4").await.json();
        let next = first["pagination"]["next"].as_str().unwrap();
        let next = house.server.get(&format!("/api/orders/me?size=4&cursor={next}")).await.json();
        assert_eq!([all(&first), all(&next)].concat(), all(&whole));
        let cancelled = house.server.get("/api/orders?status=CANCELLED").await.json();
        assert_eq!(all(&cancelled), [ids[0].clone()]);
        assert_eq!(house.server.get("/api/orders?status=LOST").await.status, 400);
        house.books_agree().await;
    })
    .await;
}
