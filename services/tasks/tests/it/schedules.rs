//! Schedules, as clients see them: stored under a name, fenced, fired once for each moment.

use std::time::Duration;

use futures_util::future::{BoxFuture, ready};
use http::{Method, StatusCode};
use pando_clock::{Clock, Timestamp};
use pando_queue::Scheduler;
use serde_json::{Value, json};

use crate::harness::{Answer, House, each_house};

const NIGHTLY: &str = "/api/v1/schedules/nightly";

async fn put(house: &House, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers = [&[("content-type", "application/json")], headers].concat();
    house.ask(Method::PUT, path, &headers, &body.to_string()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_stored_read_changed_and_deleted_under_its_name() {
    each_house(async |house| {
        let body = json!({"cron": "30 3 * * mon", "task_type": "echo", "data": {"a": 1}, "max_retries": 2});
        let made = put(house, NIGHTLY, &[("if-none-match", "*")], &body).await;
        assert_eq!((made.status, &made.headers["etag"]), (StatusCode::CREATED, &"\"1\"".parse().unwrap()));
        assert!(made.headers.contains_key("pando-consistency"));
        let kept = house.get(NIGHTLY).await.json();
        assert_eq!(kept, made.json());
        assert_eq!(
            (&kept["cron"], &kept["every"], &kept["max_retries"]),
            (&body["cron"], &Value::Null, &json!(2))
        );
        let times: Vec<Timestamp> = serde_json::from_value(kept["next_times"].clone()).unwrap();
        let week = 7 * 86_400 * 1_000_000;
        assert_eq!(times.len(), 5);
        assert!(times.windows(2).all(|pair| pair[1].as_micros() - pair[0].as_micros() == week), "{times:?}");
        assert!(kept["next_times"][0].as_str().unwrap().ends_with("T03:30:00.000000Z"));

        let again = put(house, NIGHTLY, &[("if-none-match", "*")], &body).await;
        assert_eq!(again.status, StatusCode::PRECONDITION_FAILED);
        let paused = json!({"every": "15m", "task_type": "echo", "paused": true});
        assert_eq!(
            put(house, NIGHTLY, &[("if-match", "\"7\"")], &paused).await.status,
            StatusCode::PRECONDITION_FAILED
        );
        let changed = put(house, NIGHTLY, &[("if-match", "\"1\"")], &paused).await;
        assert_eq!((changed.status, &changed.json()["version"]), (StatusCode::OK, &json!(2)));
        assert_eq!((&changed.json()["every"], &changed.json()["next_times"]), (&json!("900s"), &json!([])));
        let other = "/api/v1/schedules/other";
        assert_eq!(put(house, other, &[("if-match", "\"1\"")], &paused).await.status, StatusCode::NOT_FOUND);

        put(house, other, &[], &paused).await;
        let first = house.get("/api/v1/schedules?limit=1").await;
        assert_eq!(first.json()[0]["name"], "nightly");
        let link = first.headers["link"].to_str().unwrap();
        let next = link.split_once('<').unwrap().1.split_once('>').unwrap().0;
        assert_eq!(house.get(next).await.json()[0]["name"], "other");
        for expected in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
            assert_eq!(house.ask(Method::DELETE, NIGHTLY, &[], "").await.status, expected);
        }
        assert_eq!(house.get(NIGHTLY).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_schedule_is_named() {
    each_house(async |house| {
        for (body, field) in [
            (json!({"task_type": "echo"}), "cron"),
            (json!({"task_type": "echo", "cron": "* * * * *", "every": "1m"}), "cron"),
            (json!({"task_type": "echo", "cron": "61 * * * *"}), "cron"),
            (json!({"task_type": "echo", "cron": "0 0 30 2 *"}), "cron"),
            (json!({"task_type": "echo", "cron": "@every 5s"}), "cron"),
            (json!({"task_type": "echo", "every": "250ms"}), "every"),
            (json!({"task_type": "echo", "every": "0s"}), "every"),
            (json!({"task_type": "dance", "every": "1m"}), "task_type"),
            (json!({"task_type": "echo", "every": "1m", "delay": "1s"}), "delay"),
            (json!({"task_type": "echo", "every": "1m", "paused": "yes"}), "paused"),
        ] {
            let refused = put(house, NIGHTLY, &[], &body).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
            assert_eq!(refused.json()["errors"][0]["field"], field, "{body}");
        }
        let bad_name =
            put(house, "/api/v1/schedules/a%20b", &[], &json!({"task_type": "echo", "every": "1m"})).await;
        assert_eq!(bad_name.json()["errors"][0]["field"], "name");
        assert_eq!(house.get("/api/v1/schedules").await.json(), json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_moment_stores_one_task_however_many_processes_look() {
    each_house(async |house| {
        let body = json!({"every": "1s", "task_type": "echo", "data": {"n": 1}, "overlap": true});
        put(house, NIGHTLY, &[], &body).await;
        let schedulers = [(); 3].map(|()| Scheduler::start(&house.queue, Vec::new()).unwrap());
        let worker = house.worker();
        let tasks = loop {
            let tasks = house.get("/api/v1/tasks?type=echo").await.json();
            if tasks.as_array().unwrap().len() >= 3 {
                break tasks;
            }
            tokio::task::yield_now().await;
        };
        for scheduler in schedulers {
            scheduler.stop().await;
        }
        // Each in a second of its own: two for one moment would share it.
        let moments = tasks.as_array().unwrap().iter().map(|task| {
            let at: Timestamp = serde_json::from_value(task["created_at"].clone()).unwrap();
            at.as_micros() / 1_000_000
        });
        let mut moments: Vec<i64> = moments.collect();
        moments.dedup();
        assert_eq!(moments.len(), tasks.as_array().unwrap().len(), "{tasks}");
        assert!(house.get(NIGHTLY).await.json()["last_task_id"].is_string());
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_overlap_a_moment_passes_while_the_task_before_has_not_ended() {
    each_house(async |house| {
        let queue = house.queue_with(Clock::scripted("2026-01-01T00:00:30Z".parse().unwrap()));
        put(house, NIGHTLY, &[], &json!({"every": "1s", "task_type": "echo"})).await;
        // Long past every moment that the server gave it, and nobody works.
        queue.clock().advance(Duration::from_secs(20 * 366 * 86_400));
        assert_eq!(queue.fire_recurring().await.unwrap(), 1);
        queue.clock().advance(Duration::from_secs(5));
        assert_eq!(queue.fire_recurring().await.unwrap(), 1, "five moments come together");
        assert_eq!(house.get("/api/v1/tasks").await.json().as_array().unwrap().len(), 1);
        assert_eq!(queue.fire_recurring().await.unwrap(), 0, "and once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_somebody_deletes_the_schedules_that_name_them_and_no_others() {
    each_house(async |house| {
        for (name, address) in [("one", "Al@example.org"), ("two", "michal@example.org")] {
            let body = json!({"every": "1h", "task_type": "echo", "data": {"to": address}});
            put(house, &format!("/api/v1/schedules/{name}"), &[], &body).await;
        }
        let call = pando_resilience::Call::internal("test", Duration::from_secs(30));
        let mentions = pando_queue::Mentions::of(["al@example.org"]);
        let still = || -> BoxFuture<'_, _> { Box::pin(ready(Ok(mentions.clone()))) };
        let forgotten = house.queue.forget_mentions(&call, &mentions, uuid::Uuid::nil(), &still).await;
        assert_eq!(forgotten.unwrap(), 1);
        let left = house.get("/api/v1/schedules").await.json();
        assert_eq!((left.as_array().unwrap().len(), &left[0]["name"]), (1, &json!("two")));
    })
    .await;
}
