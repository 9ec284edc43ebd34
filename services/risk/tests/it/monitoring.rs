//! Monitoring: businesses are screened against what changes, and against nothing else.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use pando_queue::Registry;
use pando_risk::{MIGRATIONS, RiskOptions, open};
use pando_service::testing::{TestHouse, TestServer, each_house, still_clock};
use serde_json::{Value, json};

use crate::pair::{Pair, Process, each_pair};

fn named(name: &str) -> Value {
    json!({"business_name": name, "business_address": "1 Main Street, Springfield", "country": "US"})
}

impl Process {
    /// The names of the businesses with cases of monitoring, and how many entries each matches.
    async fn matched(&self) -> Vec<(String, usize)> {
        let page = self.get("/v1/cases?limit=100").await;
        let mut found: Vec<(String, usize)> = page["cases"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|case| case["kind"] == "monitoring")
            .map(|case| {
                let name = case["business_name"].as_str().unwrap().to_owned();
                (name, case["details"]["matches"].as_array().unwrap().len())
            })
            .collect();
        found.sort();
        found
    }
}

#[tokio::test]
async fn a_change_of_a_list_is_screened_against_the_businesses_under_monitoring() {
    each_pair(async |Pair { house, one, other }| {
        for name in ["Zebulon Quartermain", "Quiet Meadow Bakery"] {
            one.done(Method::POST, "/v1/monitoring", &named(name)).await;
        }
        let again = one.done(Method::POST, "/v1/monitoring", &named("zebulon  QUARTERMAIN")).await;
        assert_eq!(again["business_name"], "Zebulon Quartermain", "it is the same business");
        let list = json!({"name": "names to watch", "kind": "watch"});
        let list = one.done(Method::POST, "/v1/lists", &list).await;
        let entries = format!("/v1/lists/{}/entries", list["id"].as_str().unwrap());
        let put = async |process: &Process, entries_now: Value| {
            process.done(Method::POST, &entries, &entries_now).await;
            house.parts.queue.run_until_idle(&other.registry).await.unwrap()
        };
        put(&one, json!([{"id": "1", "name": "Somebody Else"}])).await;
        assert_eq!(one.matched().await, []);
        put(&one, json!([{"id": "2", "name": "Zebulon Quartermain"}])).await;
        assert_eq!(one.matched().await, [("Zebulon Quartermain".to_owned(), 1)]);
        put(&one, json!([{"id": "3", "name": "Another One"}])).await;
        assert_eq!(one.matched().await.len(), 1, "what has not changed is not screened again");
        let ran = put(&one, json!([{"id": "3", "name": "Another One"}])).await;
        assert_eq!(ran, 0, "nothing has changed");
        put(&one, json!([{"id": "2", "name": "Zebulon Quartermain", "programs": ["fraud"]}])).await;
        assert_eq!(one.matched().await.len(), 2, "the entry says something else");
        house.parts.clock.advance(Duration::from_secs(1));

        let screened = one.done(Method::POST, "/v1/sanctions/screen", &named("Zebulon Quartermain")).await;
        let found = &screened["matches"][0];
        let it = json!({"business_id": screened["business_id"], "source": found["source"],
            "entry_id": found["entry_id"], "entry_version": found["entry_version"], "reason": "a shop"});
        one.done(Method::POST, "/v1/sanctions/false-positives", &it).await;
        put(&one, json!([{"id": "4", "name": "Quiet Meadow Bakery"}])).await;
        let bakery = ("Quiet Meadow Bakery".to_owned(), 1);
        assert_eq!(one.matched().await[0], bakery);
        let business = screened["business_id"].as_str().unwrap();
        one.done(Method::DELETE, &format!("/v1/monitoring/{business}"), &Value::Null).await;
        let gone = one.send(Method::DELETE, &format!("/v1/monitoring/{business}"), &Value::Null).await;
        assert_eq!(gone.status, 404);
        put(&one, json!([{"id": "5", "name": "Zebulon Quartermain"}])).await;
        assert_eq!(one.matched().await.len(), 3, "it is not under monitoring any more");
        let page = one.get("/v1/monitoring?limit=1").await;
        assert_eq!(
            (&page["businesses"][0]["business_name"], &page["next"]),
            (&json!(bakery.0), &Value::Null)
        );
        let bad = one.send(Method::POST, "/v1/monitoring", &json!({"country": "XX"})).await;
        assert_eq!(bad.json()["error"]["validation"].as_array().unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_process_that_starts_with_another_list_has_its_changes_screened_once() {
    each_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, folder }| {
        let file = folder.path().join("operator.csv");
        let start = async |text: &str| start(&parts, &file, text).await;
        let first = start("id,name\n1,Zebulon Quartermain\n").await;
        for name in ["Zebulon Quartermain", "Quiet Meadow Bakery"] {
            first.done(Method::POST, "/v1/monitoring", &named(name)).await;
        }
        let ran = parts.queue.run_until_idle(&first.registry).await.unwrap();
        assert_eq!(ran, 0, "the first list is where monitoring begins");
        let text = "id,name\n1,Zebulon Quartermain\n2,Quiet Meadow Bakery\n";
        let (second, third) = (start(text).await, start(text).await);
        assert_eq!(parts.queue.run_until_idle(&second.registry).await.unwrap(), 1, "for one of both");
        assert_eq!(third.matched().await, [("Quiet Meadow Bakery".to_owned(), 1)]);
        let fourth = start("id,name\n1,Zebulon Quartermain\n").await;
        assert_eq!(parts.queue.run_until_idle(&fourth.registry).await.unwrap(), 1);
        let fifth = start(text).await;
        assert_eq!(parts.queue.run_until_idle(&fifth.registry).await.unwrap(), 1);
        assert_eq!(fifth.matched().await.len(), 2, "it was gone, and is there again");
    })
    .await;
}

/// A process that has this list of the operator, after it has looked for changes.
async fn start(parts: &pando_service::Parts, file: &Path, text: &str) -> Process {
    fs::write(file, text).unwrap();
    let options = RiskOptions { lists: vec![file.to_owned()], ..RiskOptions::default() };
    let mut registry = Registry::default();
    let mut service = open(parts, options, &mut registry).unwrap();
    if let Some(warm_up) = service.warm_up.take() {
        warm_up.await;
    }
    Process { server: TestServer::start(parts, service), registry }
}
