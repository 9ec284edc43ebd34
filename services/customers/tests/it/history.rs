//! The history of a customer.

use http::Method;
use pando_customers::Operation::{Created, Updated};
use pando_customers::{Change, Customers, CustomersOptions, Given, Update};
use pando_database::{Query, params};
use pando_resilience::{Call, Tenant};
use pando_service::{Class, Expected};
use serde_json::{Value, json};

use crate::{call, each_house, each_house_with, given, is};

/// Changes fields of customer 1.
async fn change(customers: &Customers, call: &Call, mask: &[&str], given: Given) {
    let change =
        Update::new(Given { id: "1".into(), ..given }, mask.iter().map(|path| (*path).to_owned()).collect());
    customers.update_customer(call, &Expected::Any, change).await.unwrap();
}

fn named(name: &str) -> Given {
    Given { name: name.to_owned(), ..Given::default() }
}

fn with_pairs(pairs: &[(&str, &str)]) -> Given {
    let metadata = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Given { metadata: metadata.collect(), ..Given::default() }
}

async fn history(customers: &Customers, call: &Call) -> Vec<Change> {
    customers.list_changes(call, "1", None, 100).await.unwrap().changes
}

#[tokio::test]
async fn a_history_tells_who_changed_which_fields_from_the_creation_on() {
    each_house(async |house| {
        let customers = &house.customers;
        let (clerk, boss) = (call().by("clerk"), call().by("boss"));
        let ann = Given { id: "1".into(), ..given("Ann") };
        let ann = Given { metadata: with_pairs(&[("color", "red"), ("tier", "1")]).metadata, ..ann };
        let made = customers.create_customer(&clerk, ann).await.unwrap().value;
        let only = history(customers, &call()).await;
        assert_eq!((only.len(), only[0].version, only[0].operation), (1, 1, Created));
        assert_eq!((&*only[0].changed_by, only[0].changed_at), ("clerk", made.created_at));
        let whole = json!({
            "email": "ann@example.org", "name": "Ann", "phone": "", "metadata.color": "red", "metadata.tier": "1",
        });
        assert_eq!((json!(only[0].before), json!(only[0].after)), (json!({}), whole));

        change(customers, &boss, &["name"], named("Bea")).await;
        change(customers, &call(), &["name"], named("Bea")).await;
        change(customers, &call(), &["metadata"], with_pairs(&[("color", "blue"), ("size", "9")])).await;
        let changes = history(customers, &call()).await;
        let seen: Vec<_> = changes.iter().map(|change| (change.version, change.operation)).collect();
        assert_eq!(seen, [(3, Updated), (2, Updated), (1, Created)], "a change that changes nothing is none");
        assert_eq!((&*changes[1].changed_by, json!(changes[1].before)), ("boss", json!({"name": "Ann"})));
        assert_eq!(json!(changes[1].after), json!({"name": "Bea"}));
        assert_eq!(
            (json!(changes[0].before), json!(changes[0].after)),
            (
                json!({"metadata.color": "red", "metadata.size": null, "metadata.tier": "1"}),
                json!({"metadata.color": "blue", "metadata.size": "9", "metadata.tier": null}),
            )
        );
        assert_eq!(changes[2], only[0], "the creation reads as it did before anything changed");
    })
    .await;
}

#[tokio::test]
async fn a_history_is_read_page_by_page() {
    each_house(async |house| {
        let customers = &house.customers;
        customers.create_customer(&call(), Given { id: "1".into(), ..given("Ann") }).await.unwrap();
        for number in 2..=5 {
            change(customers, &call(), &["name"], named(&number.to_string())).await;
        }
        let (mut path, mut pages) = ("/api/v1/customers/1/history?limit=2".to_owned(), Vec::new());
        loop {
            let answer = house.server.get(&path).await;
            let changes = answer.json();
            let versions = changes.as_array().unwrap().iter().map(|one| one["version"].as_i64().unwrap());
            pages.push(versions.collect::<Vec<_>>());
            let Some(link) = answer.headers.get("link") else { break };
            let (link, _) = link.to_str().unwrap().split_once('>').unwrap();
            path = link.trim_start_matches('<').to_owned();
        }
        assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1]]);
        assert_eq!(path, "/api/v1/customers/1/history?limit=2&before_version=2");

        let page = customers.list_changes(&call(), "1", Some(3), 1).await.unwrap();
        assert_eq!((page.changes[0].version, page.next), (2, Some(2)));
        let page = customers.list_changes(&call(), "1", Some(1), 1).await.unwrap();
        assert_eq!((page.changes.len(), page.next), (0, None));
        for (before, limit) in [(None, 0), (None, 1_001), (Some(0), 1), (Some(-1), 1)] {
            let refused = customers.list_changes(&call(), "1", before, limit).await;
            assert!(is(&refused, Class::Invalid), "{before:?} {limit}");
        }
        for id in ["2", "no id"] {
            assert!(is(&customers.list_changes(&call(), id, None, 1).await, Class::NotFound));
        }
        for (query, status) in [("limit=0", 400), ("limit=1001", 400), ("before_version=x", 400)] {
            let path = format!("/api/v1/customers/1/history?{query}");
            assert_eq!(house.server.ask(Method::GET, &path, &[], "").await.status, status, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_of_large_changes_has_as_many_as_a_client_can_take() {
    each_house(async |house| {
        let customers = &house.customers;
        customers.create_customer(&call(), Given { id: "1".into(), ..given("Ann") }).await.unwrap();
        for number in 0..14 {
            // Each of these signs has four bytes.
            let (value, pairs) = ("𝄞".repeat(990), (0..64).map(|key| key.to_string()));
            let metadata = pairs.map(|key| (key, format!("{number}{value}"))).collect();
            change(customers, &call(), &["metadata"], Given { metadata, ..Given::default() }).await;
        }
        let (mut versions, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = customers.list_changes(&call(), "1", before, 1_000).await.unwrap();
            assert!(serde_json::to_vec(&page.changes).unwrap().len() < 3 * 1024 * 1024);
            versions.extend(page.changes.iter().map(|change| change.version));
            pages += 1;
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(versions, (1..=15).rev().collect::<Vec<_>>());
        assert!(pages > 1, "{pages}");
    })
    .await;
}

#[tokio::test]
async fn the_oldest_changes_of_a_long_history_are_forgotten() {
    let options = CustomersOptions { history_bytes_max: 16_384, ..CustomersOptions::default() };
    each_house_with(options, async |house| {
        let customers = &house.customers;
        customers.create_customer(&call(), Given { id: "1".into(), ..given("Ann") }).await.unwrap();
        for number in 1..32 {
            let (one, other) = (format!("{number}{}", "x".repeat(990)), "y".repeat(990 + number % 2));
            let pairs = with_pairs(&[("one", &one), ("other", &other)]);
            change(customers, &call(), &["metadata"], pairs).await;
        }
        let changes = history(customers, &call()).await;
        let bytes = |change: &Change| json!([change.before, change.after]).to_string().len();
        let total: usize = changes.iter().map(bytes).sum();
        assert!((14_000..22_000).contains(&total), "{total}");
        let versions: Vec<i64> = changes.iter().map(|change| change.version).collect();
        assert_eq!(versions, [32, 31, 30, 29, 28], "the same on both engines");
    })
    .await;
}

#[tokio::test]
async fn the_history_of_a_deleted_customer_is_gone() {
    static ROWS: Query = Query::scan("test.rows", "select count(*) from customer_changes");
    static CREATORS: Query =
        Query::scan("test.creators", "select count(*) from customers where created_by <> ''");
    each_house(async |house| {
        let customers = &house.customers;
        let count = async |query: &Query| {
            let row = house.parts.database.read_primary(&call()).row(query, params![]).await.unwrap();
            row.unwrap().get::<i64>(0).unwrap()
        };
        customers.create_customer(&call(), Given { id: "1".into(), ..given("Ann") }).await.unwrap();
        assert_eq!((count(&ROWS).await, count(&CREATORS).await), (0, 1), "a creation is one insert");
        change(customers, &call(), &["name"], named("Bea")).await;
        assert_eq!(count(&ROWS).await, 2);
        customers.delete_customer(&call(), &Expected::Any, "1").await.unwrap();
        assert_eq!((count(&ROWS).await, count(&CREATORS).await), (0, 0));
        assert!(is(&customers.list_changes(&call(), "1", None, 9).await, Class::NotFound));
        assert_eq!(house.server.get("/api/v1/customers/1/history").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn two_tenants_with_the_same_id_have_histories_of_their_own() {
    each_house(async |house| {
        let customers = &house.customers;
        let tenants = ["", "oak", "elm"].map(|name| (name, call().of_tenant(Tenant::stored(name))));
        for (tenant, call) in &tenants {
            customers.create_customer(call, Given { id: "1".into(), ..given("Ann") }).await.unwrap();
            change(customers, call, &["name"], named(&format!("of {tenant}"))).await;
        }
        let [_, (_, oak), (_, elm)] = &tenants;
        change(customers, oak, &["name"], named("again")).await;
        customers.delete_customer(elm, &Expected::Any, "1").await.unwrap();
        let names = async |call: &Call| -> Vec<Value> {
            history(customers, call).await.iter().map(|change| change.after["name"].clone()).collect()
        };
        assert_eq!(names(&call()).await, ["of ", "Ann"]);
        assert_eq!(names(oak).await, ["again", "of oak", "Ann"]);
        assert!(is(&customers.list_changes(elm, "1", None, 9).await, Class::NotFound));
        let other = call().of_tenant(Tenant::stored("ash"));
        assert!(is(&customers.list_changes(&other, "1", None, 9).await, Class::NotFound));
    })
    .await;
}
