//! Orders are paid apart, and money goes back in parts; the books agree at each step.

use http::Method;
use serde_json::{Value, json};

use crate::inventory::ledger_agrees;
use crate::orders::{cancel, order, order_of, place, token};
use crate::{House, each_house};

async fn pay(house: &House, id: &Value, amount: Value, method: Value) -> (u16, Value) {
    let body = json!({"orderId": id, "amount": amount, "paymentMethod": method});
    let answer = house.server.post("/api/payments", &body).await;
    (answer.status.as_u16(), answer.json())
}

async fn refund(house: &House, payment: &Value, body: Value) -> (u16, Value) {
    let path = format!("/api/payments/{}/refund", payment.as_str().unwrap());
    let answer = house.server.post(&path, &body).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn an_order_that_waits_is_paid_by_a_request_of_its_own() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let placed = place(&house, "k-1", &order_of(&[(&tea, 2)], json!("CREDIT_CARD"))).await.json();
        let id = &placed["orderId"];
        house.work().await;
        assert_eq!(order(&house, id).await["status"], "PENDING");
        let (code, wrong) = pay(&house, id, json!(59.97), token("tok_ok")).await;
        assert_eq!((code, &wrong["code"]), (400, &json!("PAYMENT_AMOUNT_INVALID")), "{wrong}");
        let (code, poor) = pay(&house, id, json!(59.98), token("tok_insufficient_funds")).await;
        assert_eq!((code, &poor["code"]), (422, &json!("INSUFFICIENT_FUNDS")), "{poor}");
        assert_eq!(order(&house, id).await["status"], "PENDING");
        house.books_agree().await;
        let (code, paid) = pay(&house, id, json!("59.98"), token("tok_ok")).await;
        assert_eq!((code, &paid["data"]["status"]), (201, &json!("COMPLETED")), "{paid}");
        let (code, again) = pay(&house, id, json!(59.98), token("tok_ok")).await;
        assert_eq!((code, &again["data"]["id"]), (201, &paid["data"]["id"]), "{again}");
        assert_eq!(order(&house, id).await["status"], "CONFIRMED");
        assert_eq!(ledger_agrees(&house, &tea).await, (8, 0));
        let all = house.server.get(&format!("/api/payments?orderId={}", id.as_str().unwrap())).await.json();
        let states: Vec<&str> =
            all["data"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
        assert_eq!(states, ["COMPLETED", "FAILED"]);
        house.books_agree().await;
    })
    .await;
}

#[tokio::test]
async fn refunds_in_parts_add_up_to_the_payment_and_not_to_more() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let placed = place(&house, "k-1", &order_of(&[(&tea, 1)], token("tok_ok"))).await.json();
        house.work().await;
        let payment = order(&house, &placed["orderId"]).await["paymentId"].clone();
        for (amount, left) in [
            (json!(10.01), "PARTIALLY_REFUNDED"),
            (json!("0.01"), "PARTIALLY_REFUNDED"),
            (Value::Null, "REFUNDED"),
        ] {
            let (code, asked) =
                refund(&house, &payment, json!({"amount": amount, "reason": "CUSTOMER_REQUEST"})).await;
            assert_eq!(code, 200, "{asked}");
            house.books_agree().await;
            house.work().await;
            let path = format!("/api/payments/{}", payment.as_str().unwrap());
            let now = house.server.get(&path).await.json();
            assert_eq!(now["data"]["status"], left, "{now}");
            house.books_agree().await;
        }
        let path = format!("/api/payments/{}", payment.as_str().unwrap());
        let now = house.server.get(&path).await.json();
        assert_eq!(
            (&now["data"]["refundAmount"], now["data"]["refunds"].as_array().unwrap().len()),
            (&json!(29.99), 3)
        );
        let (code, more) = refund(&house, &payment, json!({"amount": 0.01, "reason": "OTHER"})).await;
        assert_eq!((code, &more["code"]), (422, &json!("PAYMENT_AMOUNT_INVALID")), "{more}");
        for bad in
            [json!({}), json!({"reason": "OTHER", "amount": -1}), json!({"reason": "OTHER", "amount": 0.001})]
        {
            assert_eq!(refund(&house, &payment, bad.clone()).await.0, 400, "{bad}");
        }
    })
    .await;
}

/// The buyer cancels what was partly sent back: the rest goes back, and not more.
#[tokio::test]
async fn a_cancelled_order_gets_the_rest_of_its_money_back() {
    each_house(async |house| {
        let tea = house.product(json!({})).await;
        let placed = place(&house, "k-1", &order_of(&[(&tea, 1)], token("tok_ok"))).await.json();
        let id = &placed["orderId"];
        house.work().await;
        let payment = order(&house, id).await["paymentId"].clone();
        assert_eq!(
            refund(&house, &payment, json!({"amount": 9.99, "reason": "DEFECTIVE_PRODUCT"})).await.0,
            200
        );
        assert_eq!(cancel(&house, id).await.0, 200);
        house.books_agree().await;
        house.work().await;
        assert_eq!(order(&house, id).await["status"], "REFUNDED");
        house.books_agree().await;
        assert_eq!(house.ask(Method::GET, "/api/payments/7", &Value::Null).await.status, 400);
    })
    .await;
}
