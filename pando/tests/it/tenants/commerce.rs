//! The shop of a tenant, and how it is called with names of somebody else's things.

use serde_json::{Value, json};

use super::walker::{Names, Walker};

const PRODUCTS: &str = "/api/products";
const ORDERS: &str = "/api/orders";
const PAYMENTS: &str = "/api/payments";

/// A product, and units of it that are reserved for an order.
pub(super) fn live(walker: &mut Walker<'_>, names: &mut Names) {
    let fields = json!({"name": names["word"], "price": 7, "category": names["word"], "stockQuantity": 50});
    let made = walker.json("POST", PRODUCTS, &[("idempotency-key", &names["key"])], &fields);
    let product = made.value()["data"].clone();
    for (name, member) in [("product", "id"), ("category", "categoryId"), ("sku", "sku")] {
        names.insert(name, product[member].as_str().unwrap().to_owned());
    }
    // Any id can be that of an order.
    names.insert("order", names["product"].clone());
    let kept = walker.json("POST", "/api/inventory/reserve", &[], &reservation(names));
    assert_eq!(kept.status, 201, "{kept:?}");
    let order =
        json!({"items": [{"productId": names["product"], "quantity": 2}], "shippingAddress": names["word"]});
    let placed = walker.json("POST", ORDERS, &[("idempotency-key", &names["key"])], &order);
    assert_eq!(placed.status, 201, "{placed:?}");
    let placed = placed.value()["orderId"].clone();
    names.insert("shop_order", placed.as_str().unwrap().to_owned());
    let paid = walker.json("POST", PAYMENTS, &[], &payment(names));
    assert_eq!(paid.status, 201, "{paid:?}");
    names.insert("payment", paid.value()["data"]["id"].as_str().unwrap().to_owned());
    let line = json!({"productId": names["product"], "quantity": 1});
    for (method, path, body) in
        [("POST", "/api/cart/items", line.clone()), ("PUT", "/api/cart/ann", json!({"items": [line]}))]
    {
        let filled = walker.json(method, path, &[], &body);
        assert!(filled.status < 300, "{filled:?}");
    }
}

fn payment(names: &Names) -> Value {
    let method = json!({"type": "CREDIT_CARD", "token": "tok_ok"});
    json!({"orderId": names["shop_order"], "amount": 14, "paymentMethod": method})
}

fn reservation(names: &Names) -> Value {
    json!({"orderId": names["order"], "items": [{"productId": names["product"], "quantity": 2}]})
}

pub(super) fn list(walker: &mut Walker<'_>) {
    walker.get(&format!("{PRODUCTS}?category={}", walker.name("word")));
    walker.get(&format!("{PRODUCTS}?categoryId={}", walker.name("category")));
    walker.get(&format!("{PRODUCTS}?search={}", walker.name("word")));
}

pub(super) fn count(walker: &mut Walker<'_>) {
    walker.get(&format!("{PRODUCTS}/facets"));
    walker.get(&format!("{PRODUCTS}/facets?categoryId={}", walker.name("category")));
    walker.get(&format!("{PRODUCTS}/facets?search={}", walker.name("word")));
}

/// Calls a route of the product.
pub(super) fn of_product(walker: &mut Walker<'_>, method: &str, body: &Value) {
    let path = format!("{PRODUCTS}/{}", walker.name("product"));
    match body {
        Value::Null => walker.send(method, &path, &[], b""),
        body => walker.json(method, &path, &[], body),
    };
}

/// Calls a route of the category.
pub(super) fn of_category(walker: &mut Walker<'_>, method: &str, body: &Value) {
    let path = format!("/api/categories/{}", walker.name("category"));
    match body {
        Value::Null => walker.send(method, &path, &[], b""),
        body => walker.json(method, &path, &[], body),
    };
}

/// Makes a category of the same name, below the category, and anew with the same key.
pub(super) fn create_category(walker: &mut Walker<'_>) {
    let (word, category) = (walker.name("word"), walker.name("category"));
    let key = walker.name("key");
    walker.json("POST", "/api/categories", &[("idempotency-key", &key)], &json!({"name": word}));
    walker.json("POST", "/api/categories", &[], &json!({"name": "Below", "parentId": category}));
}

/// Ends the reservation of the order.
pub(super) fn end(walker: &mut Walker<'_>, route: &str) {
    let order = json!({"orderId": walker.name("order")});
    walker.json("POST", &format!("/api/inventory/{route}"), &[], &order);
}

/// Puts the product into a cart.
pub(super) fn fill(walker: &mut Walker<'_>, method: &str, path: &str) {
    let line = json!({"productId": walker.name("product"), "quantity": 1});
    let body = if method == "PUT" { json!({"items": [line]}) } else { line };
    walker.json(method, path, &[], &body);
}

/// Calls a route of the line that a cart has of the product.
pub(super) fn of_line(walker: &mut Walker<'_>, method: &str, body: &Value) {
    let path = format!("/api/cart/items/{}", walker.name("product"));
    match body {
        Value::Null => walker.send(method, &path, &[], b""),
        body => walker.json(method, &path, &[], body),
    };
}

/// Calls a route of the stock of the product.
pub(super) fn of_stock(walker: &mut Walker<'_>, method: &str, route: &str, body: &Value) {
    let path = format!("/api/inventory/{}{route}", walker.name("product"));
    match body {
        Value::Null => walker.send(method, &path, &[], b""),
        body => walker.json(method, &path, &[], body),
    };
}

pub(super) fn availability(walker: &mut Walker<'_>) {
    let body = json!({"productIds": [walker.name("product")]});
    walker.json("POST", "/api/inventory/availability", &[], &body);
}

pub(super) fn move_units(walker: &mut Walker<'_>) {
    let body = json!({"productId": walker.name("product"), "kind": "RESTOCK", "quantity": 1});
    walker.json("POST", "/api/inventory/movements", &[], &body);
}

pub(super) fn reserve(walker: &mut Walker<'_>) {
    let body = json!({
        "orderId": walker.name("order"),
        "items": [{"productId": walker.name("product"), "quantity": 1}],
    });
    walker.json("POST", "/api/inventory/reserve", &[], &body);
}

pub(super) fn create(walker: &mut Walker<'_>) {
    let (key, word) = (walker.name("key"), walker.name("word"));
    let fields = json!({"name": word, "price": 7, "category": word, "sku": walker.name("sku")});
    for _ in 0..2 {
        walker.json("POST", PRODUCTS, &[("idempotency-key", &key)], &fields);
    }
}

/// Places an order of the product.
pub(super) fn place(walker: &mut Walker<'_>) {
    let items = json!([{"productId": walker.name("product"), "quantity": 2}]);
    let order = json!({"items": items, "shippingAddress": walker.name("word")});
    let key = walker.name("key");
    walker.json("POST", ORDERS, &[("idempotency-key", &key)], &order);
}

pub(super) fn orders(walker: &mut Walker<'_>) {
    walker.get(ORDERS);
    walker.get(&format!("{ORDERS}?userId=ann"));
}

/// Calls a route of the order.
pub(super) fn of_order(walker: &mut Walker<'_>, method: &str, route: &str, body: &Value) {
    let path = format!("{ORDERS}/{}{route}", walker.name("shop_order"));
    match body {
        Value::Null => walker.send(method, &path, &[], b""),
        body => walker.json(method, &path, &[], body),
    };
}

/// Pays the order, by one of the paths.
pub(super) fn pay(walker: &mut Walker<'_>, route: &str) {
    let method = json!({"type": "CREDIT_CARD", "token": "tok_ok"});
    let body = json!({"orderId": walker.name("shop_order"), "amount": 14, "paymentMethod": method});
    walker.json("POST", &format!("{PAYMENTS}{route}"), &[], &body);
}

pub(super) fn payments(walker: &mut Walker<'_>) {
    walker.get(PAYMENTS);
    walker.get(&format!("{PAYMENTS}?orderId={}", walker.name("shop_order")));
}

/// Calls a route of the payment.
pub(super) fn of_payment(walker: &mut Walker<'_>, method: &str, route: &str, body: &Value) {
    let path = format!("{PAYMENTS}/{}{route}", walker.name("payment"));
    match body {
        Value::Null => walker.send(method, &path, &[], b""),
        body => walker.json(method, &path, &[], body),
    };
}
