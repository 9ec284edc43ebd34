//! Batches: each business has an outcome of its own.

use serde_json::{Value, json};

use crate::{business, each_house};

#[tokio::test]
async fn a_bad_business_does_not_spoil_the_others() {
    each_house(async |house| {
        for name in ["requests", "businesses"] {
            let items = json!([business("One"), {"business_name": "Two"}, 5, business("Three")]);
            let answer = house.server.post("/v1/assess/batch", &json!({name: items})).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let batch = answer.json();
            let counts = ["total", "completed", "failed"].map(|field| batch[field].clone());
            assert_eq!(counts, [json!(4), json!(2), json!(2)]);
            let results = batch["results"].as_array().unwrap();
            let statuses: Vec<&Value> = results.iter().map(|one| &one["status"]).collect();
            assert_eq!(statuses, ["success", "failed", "failed", "success"]);
            assert_eq!(results[1]["validation"][0]["code"], "INVALID_BUSINESS_ADDRESS");
            for result in [&results[0], &results[3]] {
                let made = &result["assessment"];
                let read = house.get(&format!("/v1/assess/{}", made["id"].as_str().unwrap())).await;
                assert_eq!(&read.json(), made);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_has_a_bounded_size_and_one_list() {
    each_house(async |house| {
        let many: Vec<Value> = (0..10_001).map(|number| json!(number)).collect();
        for bad in [
            json!({}),
            json!({"requests": []}),
            json!({"requests": many}),
            json!({"requests": 5}),
            json!({"requests": [], "businesses": []}),
        ] {
            let answer = house.server.post("/v1/assess/batch", &bad).await;
            assert_eq!(answer.status, 400, "{bad}");
        }
        assert_eq!(house.get("/v1/assess").await.json()["total"], 0);
    })
    .await;
}
