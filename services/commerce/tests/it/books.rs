//! The rules of the books find every mistake that somebody plants, and each event is as its schema says.

use std::collections::BTreeSet;
use std::time::Duration;

use pando_commerce::{BLUEPRINT, rules_of_books, verify_books};
use pando_database::{Query, params};
use pando_queue::{Event, Outbox, Relay, Subscriber};
use pando_schema::Schema;
use pando_service::testing::call;
use serde_json::{Value, json};

use crate::orders::{order, order_of, place, token};
use crate::{House, each_house};

/// A rule, and a change of one row that breaks it.
const PLANTED: &[(&str, &str)] = &[
    (
        "ledger_has_no_gap",
        "update commerce_movements set available_before = available_before + 1 where kind = 'SALE'",
    ),
    ("stock_is_the_end_of_its_ledger", "update commerce_stock set available = available + 1"),
    (
        "reserved_units_have_reservations",
        "update commerce_reservations set status = 'RELEASED' where status = 'RESERVED'",
    ),
    ("price_of_order_is_its_lines", "update commerce_order_lines set price_minor = price_minor - 1"),
    (
        "paid_orders_have_one_payment",
        "update commerce_payments set amount_minor = amount_minor + 1 where status = 'CAPTURED'",
    ),
    (
        "paid_orders_have_one_payment",
        "update commerce_payments set status = 'FAILED' where status = 'CAPTURED'",
    ),
    (
        "units_of_orders_are_right",
        "update commerce_reservations set status = 'RELEASED' where status = 'CONFIRMED'",
    ),
    (
        "charged_orders_keep_their_units",
        "update commerce_payments set status = 'PENDING' where status = 'CAPTURED'",
    ),
    (
        "cancelled_orders_give_money_back",
        "update commerce_orders set status = 'CANCELLED' where status = 'CONFIRMED'",
    ),
    (
        "cancelled_orders_give_money_back",
        "update commerce_payments set stray = true where status = 'CAPTURED'",
    ),
    (
        "refunds_add_up",
        "update commerce_payments set refunded_minor = refunded_minor - 1 where status = 'PARTIALLY_REFUNDED'",
    ),
    ("refunds_add_up", "update commerce_refunds set amount_minor = amount_minor + 1"),
    (
        "refunds_add_up",
        "update commerce_payments set status = 'REFUNDED' where status = 'PARTIALLY_REFUNDED'",
    ),
    (
        "history_ends_where_the_order_is",
        "update commerce_order_history set to_status = 'SHIPPED' where to_status = 'CONFIRMED'",
    ),
    ("carts_count_their_units", "update commerce_cart_lines set quantity = quantity + 1"),
];

/// Every event that an order can cause.
const TOLD: [&str; 11] = [
    "InventoryReleased",
    "InventoryReserved",
    "LowStock",
    "OrderCancelled",
    "OrderConfirmed",
    "OrderCreated",
    "PaymentAuthorized",
    "PaymentFailed",
    "PaymentRefunded",
    "product_created",
    "stock_changed",
];

/// One order that is paid, one of which a part was sent back, one that waits, and a cart.
async fn busy(house: &House) {
    let tea = house.product(json!({"stockQuantity": 20})).await;
    for (key, method) in [("k-1", token("tok_ok")), ("k-2", token("tok_ok")), ("k-3", Value::Null)] {
        let placed = place(house, key, &order_of(&[(&tea, 2)], method)).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        house.work().await;
        if key == "k-2" {
            let paid = order(house, &placed.json()["orderId"]).await;
            let path = format!("/api/payments/{}/refund", paid["paymentId"].as_str().unwrap());
            let refund = json!({"amount": 1, "reason": "OTHER"});
            assert_eq!(house.server.post(&path, &refund).await.status, 200);
            house.work().await;
        }
    }
    let item = json!({"items": [{"productId": tea["id"], "quantity": 1}]});
    assert_eq!(house.ask(http::Method::PUT, "/api/cart/ann", &item).await.status, 200);
}

#[tokio::test]
async fn every_mistake_that_is_planted_is_found() {
    let mut found: Vec<&str> = PLANTED.iter().map(|(rule, _)| *rule).collect();
    found.dedup();
    assert_eq!(found.len(), rules_of_books(), "each rule is tried");
    each_house(async |house| {
        busy(&house).await;
        house.books_agree().await;
        for (rule, change) in PLANTED {
            let table = change.split_whitespace().nth(1).unwrap();
            run(&house, format!("create table test_saved as select * from {table}")).await;
            run(&house, (*change).to_owned()).await;
            let mistakes = verify_books(&house.parts.database, &call()).await;
            let mistakes =
                mistakes.unwrap_or_else(|fault| panic!("{change}: {:?}", std::error::Error::source(&fault)));
            assert!(mistakes.iter().any(|mistake| mistake.rule == *rule), "{change}: {mistakes:?}");
            for back in
                [format!("delete from {table}"), format!("insert into {table} select * from test_saved")]
            {
                run(&house, back).await;
            }
            run(&house, "drop table test_saved".to_owned()).await;
            house.books_agree().await;
        }
    })
    .await;
}

async fn run(house: &House, sql: String) {
    let call = call();
    let mut tx = house.parts.database.transaction(&call).await.unwrap();
    tx.execute(&Query::write("test.plant", sql.leak()), params![]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn every_event_is_as_its_schema_says() {
    each_house(async |house| {
        let (given, mut events) = tokio::sync::mpsc::unbounded_channel();
        let follower = Subscriber::every_process("follower", move |told: Vec<Event>| {
            told.into_iter().for_each(|event| given.send(event).unwrap());
            std::future::ready(Ok(()))
        });
        let relay = Relay::start(&Outbox::new(&house.parts.queue, "commerce"), vec![follower]).await.unwrap();
        busy(&house).await;
        let pot = house.product(json!({"stockQuantity": 11})).await;
        let placed = place(&house, "k-9", &order_of(&[(&pot, 1)], token("tok_declined"))).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        house.work().await;
        let mut missing: BTreeSet<&str> = TOLD.into();
        while !missing.is_empty() {
            let next = tokio::time::timeout(Duration::from_secs(30), events.recv()).await;
            let Event { kind: name, data, .. } =
                next.unwrap_or_else(|_| panic!("{missing:?} were not told")).unwrap();
            let event = BLUEPRINT.events.iter().find(|event| event.name == name);
            let schema = (event.unwrap_or_else(|| panic!("{name} is not known")).data)();
            let faults = Schema::compile(&schema).unwrap().faults(&data);
            assert!(faults.is_empty(), "{name} {data}: {faults:?}");
            missing.remove(name.as_str());
        }
        relay.stop().await;
    })
    .await;
}
