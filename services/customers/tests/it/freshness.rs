//! Reads after writes: nothing old is served, from whichever page.

use bytes::Bytes;
use http::Method;
use pando_customers::Question;
use serde_json::{Value, json};

use crate::{House, call, each_house};

const PAGES: [&str; 4] = ["", "?limit=1", "?limit=2&offset=1", "?limit=50"];

/// The names and versions on every page.
async fn pages(house: &House) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    for page in PAGES {
        let page = house.server.get(&format!("/api/v1/customers{page}")).await.json();
        let customers = page["customers"].as_array().unwrap().iter();
        pages.push(customers.map(|one| json!([one["name"], one["version"]])).collect());
    }
    pages
}

#[tokio::test]
async fn every_page_is_fresh_after_every_kind_of_write() {
    each_house(async |house| {
        let mut seen = vec![pages(&house).await];
        let json = |name: &str| json!({"id": name, "name": name, "email": "x@example.org"});
        let writes: [(Method, &str, Value); 5] = [
            (Method::POST, "", json("a")),
            (Method::POST, "/batch", json!({"customers": [json("b"), json("c")]})),
            (Method::PATCH, "/c", json!({"name": "d"})),
            (Method::POST, "/batch", json!({"partial": true, "customers": [json("a"), json("e")]})),
            (Method::DELETE, "/b", json!({})),
        ];
        for (method, path, body) in writes {
            let done =
                house.server.ask(method, &format!("/api/v1/customers{path}"), &[], body.to_string()).await;
            assert!(done.status.is_success(), "{done:?}");
            house.parts.clock.advance(std::time::Duration::from_millis(1));
            // Twice: what the first one remembers, the second one is told.
            let now = pages(&house).await;
            assert_eq!(now, pages(&house).await);
            assert!(!seen.contains(&now), "{path} changed nothing: {now:?}");
            seen.push(now);
        }
        let names: Vec<_> = seen.last().unwrap()[3].iter().map(|one| one[0].clone()).collect();
        assert_eq!(names, ["e", "d", "a"]);
    })
    .await;
}

#[tokio::test]
async fn pages_of_customers_of_one_moment_repeat_and_skip_nobody() {
    each_house(async |house| {
        let batch: Vec<_> = (0..57).map(|number| crate::given(&format!("n{number}"))).collect();
        let made = house.customers.batch_create(&call(), batch, false).await.unwrap().value;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.server.get(&format!("/api/v1/customers?limit=10&cursor={cursor}")).await.json();
            seen.extend(
                page["customers"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| one["id"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        seen.sort();
        let mut ids = made.ids.clone();
        ids.sort();
        assert_eq!(seen, ids);
    })
    .await;
}

#[tokio::test]
async fn a_reader_gets_bytes_of_its_own() {
    each_house(async |house| {
        let made = house.customers.create_customer(&call(), crate::given("Ann")).await.unwrap().value;
        let read = async || house.customers.get_customer(&call(), &made.id).await.unwrap().bytes().clone();
        let first = read().await;
        let copy = Bytes::copy_from_slice(&first);
        let mut changed = first.to_vec();
        changed.fill(0);
        assert_eq!(read().await, copy);
        let question = || Question { limit: 1, ..Question::default() };
        let page = house.customers.list_customers(&call(), question()).await.unwrap();
        assert_eq!(page.bytes(), house.customers.list_customers(&call(), question()).await.unwrap().bytes());
    })
    .await;
}
