//! Carts: of guests and of users, filled, changed, merged and swept.

use std::time::Duration;

use http::Method;
use pando_commerce::{Buyer, GuestToken, Wish};
use pando_database::{Query, params};
use pando_queue::Job;
use pando_service::testing::{Answer, call};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{House, each_house, path};

static ROWS: Query = Query::scan(
    "test.cart_rows",
    "select (select count(*) from commerce_carts), (select count(*) from commerce_cart_lines)",
);

/// A browser that keeps the cookie of its guest.
struct Guest<'h> {
    house: &'h House,
    cookie: String,
}

impl<'h> Guest<'h> {
    async fn new(house: &'h House) -> Self {
        let first = house.server.get("/api/cart").await;
        let cookie = first.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        Self { house, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.house.server.ask(method, path, &[("cookie", &self.cookie)], body).await
    }

    async fn add(&self, product: &Value, quantity: impl Into<Value>) -> Answer {
        let body = json!({"productId": product["id"], "quantity": quantity.into()});
        self.ask(Method::POST, "/api/cart/items", &body).await
    }

    async fn cart(&self) -> Value {
        let answer = self.ask(Method::GET, "/api/cart", &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["data"].clone()
    }

    fn token(&self) -> GuestToken {
        GuestToken::parse(self.cookie.split_once('=').unwrap().1).unwrap()
    }
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (status, Some(code)), "{answer:?}");
}

fn id(product: &Value) -> Uuid {
    Uuid::try_parse(product["id"].as_str().unwrap()).unwrap()
}

fn wish(product: &Value, quantity: i64) -> Wish {
    Wish { product: id(product), quantity, notes: None }
}

async fn rows(house: &House) -> (i64, i64) {
    let call = call();
    let rows = house.parts.database.read_primary(&call).rows(&ROWS, params![]).await.unwrap();
    (rows[0].get(0).unwrap(), rows[0].get(1).unwrap())
}

#[tokio::test]
async fn a_guest_fills_changes_and_empties_a_cart() {
    each_house(async |house| {
        let (tea, pot) = (house.product(json!({})).await, house.product(json!({"price": 0.1})).await);
        let guest = Guest::new(&house).await;
        let added = guest.add(&tea, 2).await;
        assert_eq!(added.status, 201, "{added:?}");
        assert_eq!(added.json()["data"]["subtotal"], json!(59.98));
        assert_eq!(guest.add(&pot, "3").await.status, 201);
        assert_eq!(guest.add(&tea, 1).await.json()["data"]["quantity"], 3);
        let cart = guest.cart().await;
        // 3 × 29.99 + 3 × 0.10, to the cent.
        assert_eq!(
            (&cart["totalAmount"], &cart["itemCount"], &cart["totalItems"], &cart["userId"]),
            (&json!(90.27), &json!(2), &json!(6), &json!("guest"))
        );
        let line = format!("/api/cart/items/{}", tea["id"].as_str().unwrap());
        let change = json!({"quantity": 1, "notes": "for Ann"});
        let changed = guest.ask(Method::PUT, &line, &change).await;
        assert_eq!((changed.status.as_u16(), &changed.json()["data"]["notes"]), (200, &json!("for Ann")));
        assert_eq!(guest.ask(Method::PUT, &line, &json!({"quantity": 0})).await.status, 204);
        refused(&guest.ask(Method::DELETE, &line, &Value::Null).await, 404, "CART_ITEM_NOT_FOUND");
        let all = json!({"items": [{"productId": tea["id"], "quantity": 1}, {"productId": tea["id"], "quantity": 1}]});
        let replaced = guest.ask(Method::PUT, "/api/cart", &all).await;
        assert_eq!(replaced.json()["data"]["totalItems"], 2, "{replaced:?}");
        assert_eq!(guest.ask(Method::DELETE, "/api/cart", &Value::Null).await.status, 204);
        assert_eq!(guest.cart().await["items"], json!([]));
        // Another guest has another cart.
        guest.add(&tea, 1).await;
        assert_eq!(Guest::new(&house).await.cart().await["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_cart_takes_only_what_can_be_bought_and_within_its_bounds() {
    each_house(async |house| {
        let guest = Guest::new(&house).await;
        let tea = house.product(json!({"stockQuantity": 500})).await;
        refused(&guest.add(&tea, 11).await, 400, "INVALID_QUANTITY");
        refused(&guest.add(&tea, "two").await, 400, "INVALID_QUANTITY");
        assert_eq!(guest.add(&tea, 10).await.status, 201);
        refused(&guest.add(&tea, 1).await, 422, "CART_ITEM_LIMIT_EXCEEDED");
        for _ in 0..9 {
            let other = house.product(json!({"stockQuantity": 10})).await;
            assert_eq!(guest.add(&other, 10).await.status, 201);
        }
        let over = house.product(json!({})).await;
        refused(&guest.add(&over, 1).await, 422, "CART_ITEM_LIMIT_EXCEEDED");
        let other = Guest::new(&house).await;
        let (few, yen) = (
            house.product(json!({"stockQuantity": 1})).await,
            house.product(json!({"currency": "JPY", "price": 7})).await,
        );
        let hidden = house.product(json!({"active": false})).await;
        refused(&other.add(&few, 2).await, 422, "INSUFFICIENT_STOCK");
        refused(&other.add(&hidden, 1).await, 422, "PRODUCT_NOT_AVAILABLE");
        refused(&other.add(&json!({"id": Uuid::from_u128(9)}), 1).await, 404, "RESOURCE_NOT_FOUND");
        assert_eq!(other.add(&few, 1).await.status, 201);
        refused(&other.add(&yen, 1).await, 422, "BUSINESS_RULE_VIOLATION");
        // A refused product leaves nothing behind.
        assert_eq!(other.cart().await["totalItems"], 1);
    })
    .await;
}

#[tokio::test]
async fn prices_and_stock_are_those_of_the_moment_in_which_a_cart_is_read() {
    each_house(async |house| {
        let guest = Guest::new(&house).await;
        let (tea, pot) = (house.product(json!({})).await, house.product(json!({})).await);
        guest.add(&tea, 2).await;
        guest.add(&pot, 1).await;
        house.ask(Method::PUT, &path(&tea), &json!({"price": 31, "stockQuantity": 1})).await;
        house.ask(Method::DELETE, &path(&pot), &Value::Null).await;
        let cart = guest.cart().await;
        let seen =
            |line: usize| (cart["items"][line]["status"].clone(), cart["items"][line]["available"].clone());
        assert_eq!(seen(0), (json!("INSUFFICIENT_STOCK"), json!(false)));
        assert_eq!(seen(1), (json!("UNAVAILABLE"), json!(false)));
        assert_eq!(cart["totalAmount"], 62, "{cart}");
        house.ask(Method::PUT, &path(&tea), &json!({"stockQuantity": 9})).await;
        assert_eq!(guest.cart().await["items"][0]["status"], "AVAILABLE");
    })
    .await;
}

/// Two devices of one user log in at once, again and again, each with the cart of a guest.
#[tokio::test]
async fn the_carts_of_two_devices_become_one_and_no_unit_is_lost_or_doubled() {
    each_house(async |house| {
        let (commerce, ann) = (&house.commerce, Buyer::user("ann"));
        let mut products = Vec::new();
        for _ in 0..12 {
            products.push(house.product(json!({"stockQuantity": 100})).await);
        }
        commerce.add_to_cart(&call(), &ann, &wish(&products[0], 8)).await.unwrap();
        let (phone, desk) = (Guest::new(&house).await, Guest::new(&house).await);
        for product in &products[..8] {
            assert_eq!(phone.add(product, 3).await.status, 201);
        }
        for product in &products[4..] {
            assert_eq!(desk.add(product, 4).await.status, 201);
        }
        let logins = (0..20).map(|number| {
            let ann = &ann;
            let token = if number % 2 == 0 { phone.token() } else { desk.token() };
            async move { commerce.merge_carts(&call(), ann, &token).await.unwrap() }
        });
        let merged = futures_util::future::join_all(logins).await;
        // The first product had 8 units and takes 2 of 3.
        assert_eq!(merged.iter().map(|one| one.units).sum::<i64>(), 2 + 7 * 3 + 8 * 4);
        assert_eq!(merged.iter().map(|one| one.dropped).sum::<i64>(), 1);
        let cart = commerce.cart(&call(), &ann).await.unwrap();
        assert_eq!(cart.total_items, 10 + 3 * 3 + 4 * 7 + 4 * 4);
        for (place, product) in products.iter().enumerate() {
            let line = cart.items.iter().find(|item| item.product_id == id(product)).unwrap();
            let expected = match place {
                0 => 10,
                1..=3 => 3,
                4..=7 => 7,
                _ => 4,
            };
            assert_eq!(line.quantity, expected, "product {place}");
        }
        assert_eq!(rows(&house).await, (1, 12));
        assert_eq!(phone.cart().await["items"], json!([]));
    })
    .await;
}

/// Both add to one cart while a login merges into it.
#[tokio::test]
async fn requests_to_one_cart_at_once_all_count() {
    each_house(async |house| {
        let (commerce, ann) = (&house.commerce, Buyer::user("ann"));
        let mut products = Vec::new();
        for _ in 0..10 {
            products.push(house.product(json!({})).await);
        }
        let adds = (0..40).map(|number: usize| {
            let (ann, product) = (&ann, &products[number % 10]);
            async move { commerce.add_to_cart(&call(), ann, &wish(product, 1)).await.unwrap() }
        });
        futures_util::future::join_all(adds).await;
        let cart = commerce.cart(&call(), &ann).await.unwrap();
        assert_eq!((cart.item_count, cart.total_items, cart.version), (10, 40, 40));
        assert!(cart.items.iter().all(|item| item.quantity == 4));
    })
    .await;
}

#[tokio::test]
async fn lines_in_another_currency_than_the_cart_are_not_merged_into_it() {
    each_house(async |house| {
        let (dollars, yen) =
            (house.product(json!({})).await, house.product(json!({"price": 300, "currency": "JPY"})).await);
        let (guest, commerce) = (Guest::new(&house).await, &house.commerce);
        let ann = Buyer::user("ann");
        commerce.add_to_cart(&call(), &ann, &wish(&dollars, 2)).await.unwrap();
        assert_eq!(guest.add(&yen, 3).await.status, 201);
        let merged = commerce.merge_carts(&call(), &ann, &guest.token()).await.unwrap();
        assert_eq!((merged.units, merged.dropped), (0, 3));
        assert_eq!(commerce.cart(&call(), &ann).await.unwrap().item_count, 1);
    })
    .await;
}

#[tokio::test]
async fn a_full_cart_stays_full_when_another_is_merged_into_it() {
    each_house(async |house| {
        let (commerce, ann, guest) = (&house.commerce, Buyer::user("ann"), Guest::new(&house).await);
        for _ in 0..9 {
            let product = house.product(json!({})).await;
            commerce.add_to_cart(&call(), &ann, &wish(&product, 10)).await.unwrap();
        }
        for _ in 0..3 {
            guest.add(&house.product(json!({})).await, 6).await;
        }
        let merged = commerce.merge_carts(&call(), &ann, &guest.token()).await.unwrap();
        assert_eq!((merged.units, merged.dropped), (10, 8));
        let cart = commerce.cart(&call(), &ann).await.unwrap();
        assert_eq!((cart.total_items, cart.item_count), (100, 11));
    })
    .await;
}

#[tokio::test]
async fn carts_that_nobody_changes_are_empty_after_their_days_and_then_deleted() {
    each_house(async |house| {
        let (tea, guest, other) =
            (house.product(json!({})).await, Guest::new(&house).await, Guest::new(&house).await);
        let day = Duration::from_secs(24 * 3_600);
        guest.add(&tea, 1).await;
        other.add(&tea, 1).await;
        house.clock.advance(day * 29);
        other.add(&tea, 1).await;
        house.clock.advance(day);
        assert_eq!(guest.cart().await["items"], json!([]));
        let mut tx = house.parts.database.transaction(&call()).await.unwrap();
        house.parts.queue.enqueue(&mut tx, Job::new("cart_sweep", json!({}))).await.unwrap();
        tx.commit().await.unwrap();
        house.parts.queue.run_until_idle(&house.registry).await.unwrap();
        assert_eq!(rows(&house).await, (1, 1));
        assert_eq!(other.cart().await["totalItems"], 2);
        // An expired cart that is not swept yet begins anew.
        house.clock.advance(day * 30);
        other.add(&tea, 1).await;
        assert_eq!(other.cart().await["totalItems"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_method_that_carts_do_not_have_is_not_found() {
    each_house(async |house| {
        let refused = house.server.post("/api/cart", &json!({})).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (404, &json!("RESOURCE_NOT_FOUND")));
    })
    .await;
}
