//! Events on their way to webhooks.

use http::Method;
use serde_json::{Value, json};

use crate::{Receiver, each_house, path};

#[tokio::test]
async fn an_event_arrives_signed_and_once() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        let headers = json!({"Authorization": "Bearer token"});
        let webhook = house.webhook(&receiver, json!({"headers": headers})).await;
        let event = house.event("tree.planted", "oak", 3, json!({"risk_level": "low"}));
        house.publish(std::slice::from_ref(&event)).await;
        // Events are given at least once: the second time changes nothing.
        house.publish(std::slice::from_ref(&event)).await;
        house.work().await;
        let [received] = &*receiver.take() else { panic!("it came once") };
        let id = format!("evt_{}", event.id.simple());
        assert_eq!(
            received.json(),
            json!({
                "event": "tree.planted", "id": id, "webhook_id": webhook["webhook_id"],
                "timestamp": event.timestamp.to_string(),
                "data": {"risk_level": "low", "id": "oak", "version": 3},
            })
        );
        assert_eq!(received.header("webhook-id"), id);
        assert_eq!(received.header("x-webhook-id"), webhook["webhook_id"].as_str().unwrap());
        assert_eq!(received.header("x-webhook-event"), "tree.planted");
        assert_eq!(received.header("x-webhook-timestamp"), received.header("webhook-timestamp"));
        assert!(received.header("x-webhook-signature").starts_with("sha256="));
        assert!(received.header("webhook-signature").starts_with("v1,"));
        assert_eq!(received.header("authorization"), "Bearer token");
        let [delivery] = &*house.deliveries(&webhook).await else { panic!("there is one delivery") };
        assert_eq!(delivery["status"], "delivered");
        assert_eq!((&delivery["response_code"], &delivery["response"]), (&json!(200), &json!("thanks")));
        let stats = &house.now(&webhook).await["delivery_stats"];
        assert_eq!((&stats["total_deliveries"], &stats["success_rate"]), (&json!(1), &json!(1.0)));
    })
    .await;
}

#[tokio::test]
async fn an_event_is_tried_after_one_two_and_four_seconds_and_is_then_a_dead_letter() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        receiver.answer_with(500);
        let webhook = house.webhook(&receiver, json!({})).await;
        house.plant("oak").await;
        house.work().await;
        for pause in [1.0, 2.0, 4.0] {
            assert_eq!(receiver.take().len(), 1);
            house.after(pause - 0.001).await;
            assert!(receiver.take().is_empty(), "not before {pause} seconds");
            house.after(0.001).await;
        }
        assert_eq!(receiver.take().len(), 1);
        house.after(100.0).await;
        assert!(receiver.take().is_empty(), "nobody tries a dead letter");
        let dead = house.server.get(&path(&webhook, "/deliveries?status=dead")).await.json();
        let delivery = &dead["deliveries"][0];
        assert_eq!((&delivery["attempts"], &delivery["error"]), (&json!(4), &json!("answered 500")));
        assert_eq!(delivery["response"], "a 500");

        // It is sent anew when somebody asks for that.
        receiver.answer_with(204);
        let recover = |query: &str| path(&webhook, &format!("/recover?since=2026-01-01T00:00:00Z{query}"));
        let dry = house.ask(Method::POST, &recover("&dry_run=true")).await.json();
        assert_eq!((&dry["recovered"], &dry["dry_run"]), (&json!(1), &json!(true)));
        house.work().await;
        assert!(receiver.take().is_empty());
        let done = house.ask(Method::POST, &recover("")).await.json();
        assert_eq!(done, json!({"recovered": 1, "more": false, "dry_run": false}));
        house.work().await;
        assert_eq!(receiver.take().len(), 1);
        let id = delivery["id"].as_str().unwrap();
        let delivery = house.server.get(&format!("/v1/deliveries/{id}")).await.json();
        assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("delivered"), &json!(1)));
        let again = house.ask(Method::POST, &format!("/api/v1/deliveries/{id}/retry")).await;
        assert_eq!((again.status.as_u16(), &again.json()["status"]), (202, &json!("pending")));
        house.work().await;
        assert_eq!(receiver.take().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn events_of_one_thing_keep_their_order_where_that_is_asked_for() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        let policy = json!({"max_retries": 10, "initial_interval": 1});
        let webhook = house.webhook(&receiver, json!({"ordered": true, "retry_policy": policy})).await;
        receiver.answer(|received| {
            let is_bad = received.tree() == "oak" && received.json()["data"]["version"] == 2;
            Some((if is_bad { 503 } else { 200 }, String::new()))
        });
        let planted = |tree: &str, version| house.event("tree.planted", tree, version, json!({}));
        let events: Vec<_> =
            (1..=4).flat_map(|version| [planted("oak", version), planted("elm", version)]).collect();
        house.publish(&events).await;
        house.work().await;
        let seen = |received: Vec<crate::receiver::Received>, tree: &str| -> Vec<Value> {
            let of_tree = received.iter().filter(|one| one.tree() == tree);
            of_tree.map(|one| one.json()["data"]["version"].clone()).collect()
        };
        let received = receiver.take();
        assert_eq!(seen(received.clone(), "elm"), [1, 2, 3, 4]);
        assert_eq!(seen(received, "oak"), [1, 2], "the third waits for the second");
        receiver.answer_with(200);
        house.after(1.0).await;
        assert_eq!(seen(receiver.take(), "oak"), [2, 3, 4]);
        assert_eq!(house.now(&webhook).await["delivery_stats"]["successful_deliveries"], 8);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_fails_gets_nothing_for_a_while_and_then_one_attempt() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        receiver.answer_with(500);
        let policy = json!({"max_retries": 50, "initial_interval": 0.1, "max_interval": 0.1});
        let webhook = house.webhook(&receiver, json!({"concurrency": 1, "retry_policy": policy})).await;
        let events: Vec<_> =
            (0..20).map(|tree| house.event("tree.planted", &tree.to_string(), 1, json!({}))).collect();
        house.publish(&events).await;
        house.work().await;
        assert_eq!(receiver.take().len(), 5, "five failures in a row are enough");
        house.after(4.9).await;
        assert!(receiver.take().is_empty());
        house.after(0.2).await;
        assert_eq!(receiver.take().len(), 1, "one attempt finds out whether it works again");
        receiver.answer_with(200);
        house.after(10.1).await;
        assert_eq!(receiver.take().len(), 20, "it works: everything is sent");
        assert_eq!(house.now(&webhook).await["delivery_stats"]["successful_deliveries"], 20);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_fails_for_five_days_is_switched_off_with_an_event() {
    each_house(async |house| {
        let (bad, good) = (Receiver::start().await, Receiver::start().await);
        bad.answer_with(500);
        let policy =
            json!({"max_retries": 50, "initial_interval": 43200, "multiplier": 1, "max_interval": 43200});
        let webhook = house.webhook(&bad, json!({"retry_policy": policy})).await;
        house.webhook(&good, json!({"events": ["webhook.disabled"]})).await;
        house.plant("oak").await;
        for _ in 0..11 {
            house.work().await;
            house.clock.advance(std::time::Duration::from_secs(43_200));
        }
        // The jobs that wake it are of the time of the queue, too.
        house.work().await;
        let now = house.now(&webhook).await;
        assert_eq!((&now["status"], &now["active"]), (&json!("disabled"), &json!(false)));
        house.publish(&[house.event("tree.felled", "elm", 1, json!({}))]).await;
        house.work().await;
        let told = good.take();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].json()["event"], "webhook.disabled");
        // A caller makes it active again, and it begins anew.
        bad.answer_with(200);
        bad.take();
        let active = json!({"status": "active"}).to_string();
        let answer = house.server.ask(Method::PATCH, &path(&webhook, ""), &[], active).await;
        assert_eq!(answer.json()["status"], "active");
        house.after(43_200.0).await;
        assert_eq!(bad.take().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_rate_is_kept_also_after_an_outage() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        receiver.answer_with(500);
        let more = json!({
            "rate_limit": {"requests_per_minute": 60, "burst": 3}, "retry_policy": {"max_retries": 0},
        });
        let webhook = house.webhook(&receiver, more).await;
        let events: Vec<_> =
            (0..6).map(|tree| house.event("tree.planted", &tree.to_string(), 1, json!({}))).collect();
        house.publish(&events).await;
        house.work().await;
        assert_eq!(receiver.take().len(), 3, "a burst");
        for _ in 0..10 {
            house.after(10.0).await;
        }
        receiver.take();
        receiver.answer_with(200);
        house.ask(Method::POST, &path(&webhook, "/recover?since=2026-01-01T00:00:00Z")).await;
        house.work().await;
        assert_eq!(receiver.take().len(), 3, "a burst of what was dead");
        house.after(1.0).await;
        assert_eq!(receiver.take().len(), 1, "then one in a second");
        house.after(1.0).await;
        assert_eq!(receiver.take().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_paused_webhook_gets_its_events_later_and_an_inactive_one_gets_none() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        let webhook = house.webhook(&receiver, json!({})).await;
        let set = async |status: &str| {
            let body = json!({"status": status}).to_string();
            let answer = house.server.ask(Method::PATCH, &path(&webhook, ""), &[], body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            house.work().await;
        };
        set("paused").await;
        house.plant("oak").await;
        house.work().await;
        assert!(receiver.take().is_empty());
        set("active").await;
        assert_eq!(receiver.take().len(), 1);
        set("inactive").await;
        house.plant("elm").await;
        set("active").await;
        assert!(receiver.take().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_event_must_be_of_the_right_type_and_pass_the_filters() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        let filters = json!({"filters": {"risk_levels": ["high"]}});
        house.webhook(&receiver, filters).await;
        let event = |kind: &str, level: &str| house.event(kind, level, 1, json!({"risk_level": level}));
        let events = [
            event("tree.planted", "low"),
            event("tree.planted", "high"),
            event("tree.felled", "high"),
            event("tree.unknown", "high"),
        ];
        house.publish(&events).await;
        house.work().await;
        assert_eq!(receiver.take().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn old_deliveries_are_forgotten_and_those_of_a_deleted_webhook_as_well() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        let (kept, deleted) =
            (house.webhook(&receiver, json!({})).await, house.webhook(&receiver, json!({})).await);
        house.plant("oak").await;
        house.work().await;
        assert_eq!(receiver.take().len(), 2);
        let count = async || {
            let mut counts = Vec::new();
            for query in [
                pando_database::Query::scan("test.events", "select count(*) from webhook_events"),
                pando_database::Query::scan("test.deliveries", "select count(*) from webhook_deliveries"),
            ] {
                let call = crate::call();
                let read = house.parts.database.read_primary(&call);
                counts.push(read.row(&query, []).await.unwrap().unwrap().get::<i64>(0).unwrap());
            }
            counts
        };
        assert_eq!(count().await, [1, 2]);
        assert_eq!(house.ask(Method::DELETE, &path(&deleted, "")).await.status, 204);
        house.work().await;
        assert_eq!(count().await, [1, 1]);
        assert_eq!(house.ask(Method::GET, &path(&deleted, "")).await.status, 404);
        house.clock.advance(std::time::Duration::from_secs(31 * 86_400));
        let sweep = pando_queue::Job::new("webhook_sweep", json!({}));
        let mut tx = house.parts.database.transaction(&crate::call()).await.unwrap();
        house.parts.queue.enqueue(&mut tx, sweep).await.unwrap();
        tx.commit().await.unwrap();
        house.work().await;
        assert_eq!(count().await, [0, 0]);
        assert!(house.deliveries(&kept).await.is_empty());
    })
    .await;
}
