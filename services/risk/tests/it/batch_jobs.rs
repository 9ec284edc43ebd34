//! Batches that a job assesses.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use pando_queue::{Outbox, Queue};
use pando_resilience::Tenant;
use pando_risk::{Risk, RiskOptions};
use pando_service::Class;
use pando_service::testing::{call, is};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{House, business, each_house, each_house_with};

/// Businesses of which every tenth is described badly.
fn businesses(count: usize) -> Vec<Value> {
    let one = |number: usize| match number % 10 {
        9 => json!({"business_name": "Nowhere"}),
        _ => business(&format!("Acme {number}")),
    };
    (0..count).map(one).collect()
}

fn small_chunks() -> RiskOptions {
    RiskOptions { sample_list: true, batch_chunk: 20, ..RiskOptions::default() }
}

/// A batch in the form of `POST /assess/batch/async`.
async fn create(house: &House, count: usize) -> Value {
    let asked = json!({
        "job_type": "risk_assessment", "requests": businesses(count), "priority": 7, "metadata": {"file": "june.csv"},
        "created_by": "zoe",
    });
    let made = house.server.post("/v1/assess/batch/async", &asked).await;
    assert_eq!(made.status, 201, "{made:?}");
    let batch = made.json();
    assert_eq!(made.headers["location"], path(&batch, ""));
    batch
}

fn path(batch: &Value, below: &str) -> String {
    format!("/api/v1/assess/batch/{}{below}", batch["id"].as_str().unwrap())
}

/// Every event, by its type.
async fn events(queue: &Queue) -> Vec<String> {
    let reader = Outbox::new(queue, "test").reader("test");
    let from = reader.enter(&call()).await.unwrap();
    let all = reader.read_after(&call(), from, 500).await.unwrap();
    all.into_iter().map(|(_, event)| event.kind).collect()
}

#[tokio::test]
async fn a_job_assesses_more_than_a_hundred_businesses_and_keeps_their_order() {
    each_house_with(small_chunks(), async |house| {
        let asked = json!({"requests": businesses(130)});
        let accepted = house.server.post("/v1/assess/batch", &asked).await;
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let batch = accepted.json();
        assert_eq!((&batch["status"], &batch["total_requests"]), (&json!("pending"), &json!(130)));
        assert_eq!(batch["id"], batch["batch_id"]);
        house.work().await;
        let batch = house.get(&path(&batch, "")).await.json();
        let counts = ["status", "completed", "failed", "skipped", "progress"].map(|name| batch[name].clone());
        assert_eq!(counts, [json!("completed"), json!(117), json!(13), json!(0), json!(100)]);

        let (mut offset, mut seen, mut ids) = (0, 0, BTreeSet::new());
        loop {
            let page = house.get(&path(&batch, &format!("/results?limit=50&offset={offset}"))).await.json();
            for result in page["results"].as_array().unwrap() {
                assert_eq!(result["request_index"], seen);
                assert_eq!(result["request"], businesses(130)[seen]);
                if seen % 10 == 9 {
                    assert_eq!((&result["status"], &result["response"]), (&json!("failed"), &Value::Null));
                    assert_eq!(result["validation"][0]["code"], "INVALID_BUSINESS_ADDRESS");
                    assert!(result["error"].as_str().unwrap().contains("business_address is required"));
                } else {
                    let made = &result["response"];
                    assert_eq!(made["business_name"], format!("Acme {seen}"));
                    assert_eq!(result["status"], "success");
                    assert!(result["duration"].as_f64().unwrap() >= 0.0);
                    ids.insert(made["id"].as_str().unwrap().to_owned());
                }
                seen += 1;
            }
            let summary = &page["summary"];
            assert!((summary["success_rate"].as_f64().unwrap() - 0.9).abs() < 1e-9, "{summary}");
            assert!(summary["min_duration_ms"].as_f64() <= summary["average_duration_ms"].as_f64());
            assert!(summary["max_duration_ms"].as_f64() <= summary["total_duration_ms"].as_f64());
            let Some(next) = page["next_offset"].as_u64() else { break };
            offset = next;
        }
        assert_eq!((seen, ids.len()), (130, 117));
        assert_eq!(house.get("/v1/assess").await.json()["total"], 117);
        let kinds = events(&house.parts.queue).await;
        let of = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
        assert_eq!(
            ["assessment.completed", "batch_job.started", "batch_job.completed", "batch_job.failed"].map(of),
            [117, 1, 1, 0]
        );
    })
    .await;
}

#[tokio::test]
async fn a_batch_in_the_older_form_shows_its_results_in_its_status() {
    each_house(async |house| {
        let options = json!({"prediction_horizon": 12, "include_explainability": true, "priority": "high"});
        let asked = json!({"businesses": businesses(10), "options": options});
        let accepted = house.server.post("/v1/batch/assess", &asked).await;
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let receipt = accepted.json();
        let fields = ["status", "total_businesses", "processed_businesses", "estimated_completion_time"];
        assert_eq!(
            fields.map(|name| receipt[name].clone()),
            [json!("queued"), json!(10), json!(0), Value::Null]
        );
        house.work().await;
        let place = accepted.headers["location"].to_str().unwrap().to_owned();
        let state = house.get(&place).await.json();
        assert_eq!((&state["status"], &state["failed_businesses"]), (&json!("completed"), &json!(1)));
        let progress = json!({"total": 10, "processed": 10, "failed": 1, "percentage": 100});
        assert_eq!(state["progress"], progress);
        let results = state["results"].as_array().unwrap();
        assert_eq!((results.len(), &state["next_offset"]), (10, &Value::Null));
        let first = &results[0];
        let made =
            house.get(&format!("/v1/assess/{}", first["assessment_id"].as_str().unwrap())).await.json();
        assert_eq!(made["prediction_horizon"], 12);
        assert_eq!(
            (&made["risk_score"], &made["business_id"]),
            (&first["risk_score"], &first["business_id"])
        );
        assert_eq!(house.get(first["explanation"].as_str().unwrap()).await.status, 200);
        assert!(results[9]["error_message"].is_string() && results[9]["assessment_id"].is_null());
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_batch_skips_its_businesses_until_it_is_resumed() {
    each_house_with(small_chunks(), async |house| {
        let batch = create(&house, 60).await;
        let cancel = async || house.ask(Method::DELETE, &path(&batch, ""), &[], &Value::Null).await;
        assert_eq!(
            (cancel().await.status, cancel().await.status),
            (204.try_into().unwrap(), 204.try_into().unwrap())
        );
        house.work().await;
        let read = async || house.get(&path(&batch, "")).await.json();
        let seen = read().await;
        assert_eq!((&seen["status"], &seen["skipped"]), (&json!("cancelled"), &json!(60)));
        assert_eq!(house.get("/v1/assess").await.json()["total"], 0);
        let results = house.get(&path(&batch, "/results?limit=1")).await.json();
        assert_eq!(results["results"][0]["status"], "skipped");

        let resume = async || house.ask(Method::POST, &path(&batch, "/resume"), &[], &Value::Null).await;
        let resumed = resume().await;
        assert_eq!((resumed.status.as_u16(), &resumed.json()["status"]), (200, &json!("pending")));
        assert_eq!(resume().await.status, 409, "its job lives");
        house.work().await;
        let seen = read().await;
        let counts = ["status", "completed", "failed", "skipped"].map(|name| seen[name].clone());
        assert_eq!(counts, [json!("completed"), json!(54), json!(6), json!(0)]);
        assert_eq!((cancel().await.status.as_u16(), resume().await.status.as_u16()), (409, 409));
        assert_eq!(house.get("/v1/assess").await.json()["total"], 54);
    })
    .await;
}

#[tokio::test]
async fn batches_are_listed_by_status_name_and_time() {
    each_house(async |house| {
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(create(&house, 1).await["id"].clone());
            house.parts.clock.advance(Duration::from_secs(60));
        }
        made.reverse();
        house
            .ask(
                Method::DELETE,
                &format!("/v1/assess/batch/{}", made[0].as_str().unwrap()),
                &[],
                &Value::Null,
            )
            .await;
        let list = async |query: &str| {
            let page = house.get(&format!("/v1/assess/batch?{query}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            let page = page.json();
            let ids: Vec<Value> =
                page["batches"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
            (ids, page["total"].as_i64().unwrap())
        };
        assert_eq!(list("").await, (made.clone(), 3));
        assert_eq!(list("limit=1&offset=1").await, (made[1..2].to_vec(), 3));
        assert_eq!(list("status=cancelled").await, (made[..1].to_vec(), 1));
        assert_eq!(list("created_by=zoe&job_type=risk_assessment").await.1, 3);
        assert_eq!(list("created_by=yan").await, (Vec::new(), 0));
        assert_eq!(list("start_date=2026-01-01T00:02:00Z").await.0, made[..1]);
        assert_eq!(list("end_date=2026-01-01T00:00:30Z").await.0, made[2..]);
        for bad in [
            "status=gone",
            "job_type=magic",
            "limit=0",
            "start_date=yesterday",
            "end_date=-009999-01-01T00:00:00Z",
        ] {
            assert_eq!(house.get(&format!("/v1/assess/batch?{bad}")).await.status, 400, "{bad}");
        }
    })
    .await;
}

#[tokio::test]
async fn old_batches_are_forgotten_and_their_assessments_stay() {
    each_house(async |house| {
        let batch = create(&house, 10).await;
        house.work().await;
        let sweep = async || {
            let mut tx = house.parts.database.transaction(&call()).await.unwrap();
            house.parts.queue.enqueue(&mut tx, pando_queue::Job::new("risk_sweep", json!({}))).await.unwrap();
            tx.commit().await.unwrap();
            house.work().await;
            house.get(&path(&batch, "")).await.status.as_u16()
        };
        house.parts.clock.advance(Duration::from_secs(29 * 86_400));
        assert_eq!(sweep().await, 200);
        house.parts.clock.advance(Duration::from_secs(2 * 86_400));
        assert_eq!(sweep().await, 404);
        assert_eq!(house.get("/v1/assess").await.json()["total"], 9);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_makes_one_batch() {
    each_house(async |house| {
        let asked = json!({"requests": businesses(1), "created_by": "zoe"});
        let key = [("idempotency-key", "one")];
        let ask = async || house.ask(Method::POST, "/v1/assess/batch/async", &key, &asked).await.json();
        assert_eq!(ask().await, ask().await);
        assert_eq!(house.get("/v1/assess/batch").await.json()["total"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_neither_sees_nor_changes_the_batches_of_another() {
    each_house(async |house| {
        let risk = Risk::new(&house.parts, RiskOptions::default()).unwrap();
        let [acme, bolt] = ["acme", "bolt"].map(|name| call().of_tenant(Tenant::named(name).unwrap()));
        let asked = json!({"requests": businesses(3), "created_by": "zoe"});
        let made = risk.create_batch(&acme, asked.as_object().unwrap()).await.unwrap().value;
        let id = Uuid::parse_str(made.id.trim_start_matches("batch_")).unwrap();
        assert!(is(&risk.get_batch(&bolt, id).await, Class::NotFound));
        assert!(is(&risk.get_batch_state(&bolt, id, (0, 10)).await, Class::NotFound));
        assert!(is(&risk.batch_results(&bolt, id, (0, 10)).await, Class::NotFound));
        assert!(is(&risk.cancel_batch(&bolt, id).await, Class::NotFound));
        assert!(is(&risk.resume_batch(&bolt, id).await, Class::NotFound));
        house.work().await;
        let all = pando_risk::AssessmentQuestion { limit: 10, ..Default::default() };
        assert_eq!(risk.list_assessments(&acme, all.clone()).await.unwrap().total, 3);
        assert_eq!(risk.list_assessments(&bolt, all).await.unwrap().total, 0);
        assert_eq!(risk.get_batch(&acme, id).await.unwrap().completed, 3);
    })
    .await;
}
