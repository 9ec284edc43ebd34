//! Carts at a server that asks for credentials: those of guests, of users, and of guests who log in.

use pando_database::testing::TestPostgres;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::engines::Place;
use crate::harness::Running;

const ITEMS: &str = "/api/cart/items";

fn ask(running: &Running, (method, path): (&str, &str), headers: &[(&str, &str)], body: &Value) -> Reply {
    let headers = [headers, &[("content-type", "application/json")]].concat();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Client::connect(running.address).unwrap().send(method, path, &headers, body.as_bytes()).unwrap()
}

/// A user adds a product before and after the log-in, and somebody else tries to get at the cart.
fn shop(place: &Place) {
    place.printed(&["migrate"], &[]);
    let key = |rest: &[&str]| {
        let arguments = [&["keys", "create"], rest].concat();
        place.printed(&arguments, &[]).trim().to_owned()
    };
    let admin = key(&["--name", "shop", "--role", "admin"]);
    let (ann, bob) = (
        key(&["--name", "ann", "--scope", "cart:manage"]),
        key(&["--name", "bob", "--scope", "cart:manage"]),
    );
    let acme = key(&["--name", "eve", "--scope", "cart:manage", "--tenant", "acme"]);
    let running = place.start(&[("PANDO_AUTH__MODE", "required")]);
    let fields = json!({"name": "Tea", "price": 29.99, "category": "Kitchen", "stockQuantity": 50});
    let made = ask(&running, ("POST", "/api/products"), &[("x-api-key", &admin)], &fields);
    let line = json!({"productId": made.value()["data"]["id"], "quantity": 3});
    // A guest fills a cart, and the cookie opens it again.
    let first = ask(&running, ("POST", ITEMS), &[], &line);
    assert_eq!(first.status, 201, "{first:?}");
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let guest = [("cookie", cookie.as_str())];
    let units = |headers: &[(&str, &str)]| {
        let cart = ask(&running, ("GET", "/api/cart"), headers, &Value::Null);
        assert_eq!(cart.status, 200, "{cart:?}");
        cart.value()["data"]["totalItems"].as_i64().unwrap()
    };
    assert_eq!((units(&guest), units(&[])), (3, 0));
    // A user of another tenant does not get it, and leaves it where it is.
    assert_eq!(units(&[("x-api-key", &acme), guest[0]]), 0);
    assert_eq!(units(&guest), 3);
    // Ann logs in with it, twice.
    let user = [("x-api-key", ann.as_str())];
    assert_eq!(ask(&running, ("POST", ITEMS), &user, &line).status, 201);
    for _ in 0..2 {
        let merged = ask(&running, ("POST", "/api/cart/merge"), &[user[0], guest[0]], &Value::Null);
        assert_eq!((merged.status, &merged.value()["data"]["totalItems"]), (200, &json!(6)), "{merged:?}");
        assert!(merged.header("set-cookie").unwrap().contains("Max-Age=0"), "{merged:?}");
    }
    assert_eq!((units(&user), units(&guest)), (6, 0));
    // The cart by the name of its user is Ann's, and nobody else's but the administrator's.
    let name = ask(&running, ("GET", "/api/cart"), &user, &Value::Null).value()["data"]["userId"].clone();
    let path = format!("/api/cart/{}", name.as_str().unwrap().replace(':', "%3A"));
    for (key, status) in [(&ann, 200), (&admin, 200), (&bob, 403)] {
        let read = ask(&running, ("GET", &path), &[("x-api-key", key)], &Value::Null);
        assert_eq!(read.status, status, "{read:?}");
        if status == 403 {
            assert_eq!(read.value()["code"], "AUTHORIZATION_FAILED");
        }
    }
    for method in ["PUT", "DELETE"] {
        let body = if method == "PUT" { json!({"items": []}) } else { Value::Null };
        let refused = ask(&running, (method, &path), &[("x-api-key", &bob)], &body);
        assert_eq!(refused.status, 403, "{refused:?}");
    }
    assert_eq!(ask(&running, ("GET", &path), &[], &Value::Null).status, 401);
    assert_eq!(units(&user), 6);
    // Two guests with the same key do not get each other's answers.
    let keyed = [("idempotency-key", "add-1")];
    for _ in 0..2 {
        let added = ask(&running, ("POST", ITEMS), &keyed, &line);
        assert_eq!((added.status, added.header("idempotent-replayed")), (201, None), "{added:?}");
    }
}

#[test]
fn a_guest_who_logs_in_takes_the_cart_along_and_nobody_else_gets_it_on_sqlite() {
    shop(&Place::sqlite());
}

#[test]
fn a_guest_who_logs_in_takes_the_cart_along_and_nobody_else_gets_it_on_postgres() {
    shop(&Place::postgres(TestPostgres::shared()));
}
