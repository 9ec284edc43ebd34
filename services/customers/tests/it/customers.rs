//! One customer, and many.

use std::sync::Arc;

use http::Method;
use pando_customers::{BATCH_MAX, Given, Question};
use pando_database::{Query, params};
use pando_resilience::{Call, Repeat};
use pando_service::{Class, Expected};
use serde_json::{Value, json};

use crate::{call, each_house, given, is};

/// Fifty-nine invented customers from 24 countries, as a music shop has them: accents, apostrophes, brackets and dashes in
/// phone numbers, and one without a number.
const SHOP: &str = include_str!("customers.json");

#[tokio::test]
async fn the_customers_of_a_shop_all_pass_and_read_back_equal() {
    each_house(async |house| {
        let shop: Vec<Value> = serde_json::from_str(SHOP).unwrap();
        assert_eq!(shop.len(), 59);
        let countries: std::collections::BTreeSet<_> =
            shop.iter().map(|one| one["metadata"]["country"].to_string()).collect();
        assert_eq!(countries.len(), 24);
        for (number, customer) in shop.iter().enumerate() {
            let made = house.server.post("/api/v1/customers", customer).await;
            assert_eq!(made.status, 201, "{customer} {made:?}");
            assert_eq!(made.headers["location"], format!("/api/v1/customers/{}", number + 1));
        }
        for customer in &shop {
            let id = customer["id"].as_str().unwrap();
            let read = house.server.get(&format!("/api/v1/customers/{id}")).await.json();
            for field in ["id", "name", "email", "metadata"] {
                assert_eq!(read[field], customer[field]);
            }
            assert_eq!(read["phone"], customer["phone"].as_str().unwrap_or_default());
            let has_code = customer["phone"].as_str().is_some_and(|phone| phone.starts_with('+'));
            assert_eq!(!read["phone_e164"].as_str().unwrap().is_empty(), has_code, "{read}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_customer_leaves_its_id_and_nothing_else() {
    static ROW: Query = Query::scan(
        "test.row",
        "select email || email_key || name || phone || phone_key || cast(metadata as text) from customers",
    );
    each_house(async |house| {
        let customers = &house.customers;
        let ann = Given { id: "1".into(), phone: "+41 44 668 18 00".into(), ..given("Ann") };
        let ann = Given { metadata: [("k".to_owned(), "v".to_owned())].into(), ..ann };
        let repeat = Repeat { operation: "test".to_owned(), key: "k".to_owned(), hash: [7; 32] };
        let keyed = Call { repeat: Some(Arc::new(repeat)), ..call() };
        customers.create_customer(&keyed, ann.clone()).await.unwrap();
        customers.delete_customer(&call(), &Expected::Any, "1").await.unwrap();
        // The kept answer to the creation told of the customer.
        assert!(is(&customers.create_customer(&keyed, ann.clone()).await, Class::NotFound));
        let rows = house.parts.database.read_primary(&call()).rows(&ROW, params![]).await.unwrap();
        assert_eq!(rows[0].get::<String>(0).unwrap(), "{}");
        assert!(is(&customers.create_customer(&call(), ann).await, Class::Conflict));
        assert!(is(&customers.get_customer(&call(), "1").await, Class::NotFound));
        let found = customers.list_customers(&call(), Question { limit: 9, ..Question::default() }).await;
        assert!(found.unwrap().bytes().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_no_version() {
    each_house(async |house| {
        let ask = async |method, path: &str, body: Value| {
            house.server.ask(method, path, &[], body.to_string()).await
        };
        house
            .server
            .post("/api/v1/customers", &json!({"id": "1", "name": "Ann", "email": "a@example.org"}))
            .await;
        let one = "/api/v1/customers/1";
        let same = ask(Method::PATCH, one, json!({"name": "Ann"})).await;
        assert_eq!((same.status.as_u16(), &same.headers["etag"]), (200, &"\"1\"".parse().unwrap()));
        let other = ask(Method::PATCH, one, json!({"metadata": {"a": "1", "b": "2"}})).await.json();
        assert_eq!((&other["version"], &other["metadata"]), (&json!(2), &json!({"a": "1", "b": "2"})));
        let other = ask(Method::PATCH, one, json!({"metadata": {"a": null, "c": "3"}})).await.json();
        assert_eq!((&other["version"], &other["metadata"]), (&json!(3), &json!({"b": "2", "c": "3"})));
        let none = ask(Method::PATCH, one, json!({"nmae": "Bob"})).await;
        assert_eq!((none.status.as_u16(), &none.json()["errors"][0]["field"]), (422, &json!("body")));
        let bad = ask(Method::PATCH, one, json!({"email": 7, "metadata": {"a": 7}, "name": ""})).await.json();
        let fields: Vec<_> = bad["errors"].as_array().unwrap().iter().map(|it| it["field"].clone()).collect();
        assert_eq!(fields, ["email", "metadata.a"], "types first: {bad}");
        let gone = ask(Method::PATCH, "/api/v1/customers/2", json!({"name": "Bob"})).await;
        assert_eq!(gone.status, 404);
        let fresh = house.server.ask(Method::GET, one, &[("if-none-match", "\"3\"")], "").await;
        assert_eq!(fresh.status, 304);
    })
    .await;
}

#[tokio::test]
async fn a_batch_stands_or_falls_together_unless_it_is_partial() {
    each_house(async |house| {
        let customers = &house.customers;
        let id = |id: &str| Given { id: id.into(), ..given("Ann") };
        customers.create_customer(&call(), id("taken")).await.unwrap();
        let batch = async |batch: Vec<Given>, partial| customers.batch_create(&call(), batch, partial).await;
        let refused = batch(vec![id("1"), id("taken"), id("2")], false).await.unwrap_err();
        assert_eq!((refused.class(), &*refused.errors()[0].field), (Class::Conflict, "customers[1].id"));
        assert!(is(&customers.get_customer(&call(), "1").await, Class::NotFound), "nothing was written");
        let done = batch(vec![id("1"), id("taken"), id("2"), id("1")], true).await.unwrap().value;
        let places: Vec<_> = done.refused.iter().map(|refused| (refused.index, &*refused.field)).collect();
        assert_eq!((done.ids, places), (vec!["1".to_owned(), "2".to_owned()], vec![(1, "id"), (3, "id")]));
        assert!(batch(Vec::new(), false).await.unwrap().value.ids.is_empty());
        let many = vec![given("Ann"); BATCH_MAX];
        assert_eq!(batch(many.clone(), false).await.unwrap().value.ids.len(), BATCH_MAX);
        let more = [many, vec![given("Ann")]].concat();
        assert!(is(&batch(more, true).await, Class::Invalid));
    })
    .await;
}
