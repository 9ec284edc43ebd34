//! Tasks from their storing to their end, as clients see them.

use std::time::Duration;

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use pando_queue::{JobError, JobKind, Registry};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Answer, each_house};

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_runs_after_its_delay_and_its_status_is_right_all_the_way() {
    each_house(async |house| {
        let created = house.create(&json!({"type": "echo", "payload": {"a": [1]}, "delay": "2s"})).await;
        assert_eq!(created.status, StatusCode::ACCEPTED);
        let body = created.json();
        assert_eq!((&body["taskID"], &body["status"]), (&body["id"], &json!("scheduled")));
        let location = created.headers["location"].to_str().unwrap();
        assert_eq!(location, format!("/api/v1/tasks/{}", id(&created)));
        assert_eq!(house.get(location).await.json()["status"], "scheduled");
        let worker = house.worker();
        let done = house.get(&format!("{location}?wait=20s")).await.json();
        assert_eq!((&done["status"], &done["result"]), (&json!("completed"), &json!({"a": [1]})));
        assert_eq!((&done["attempts"], &done["task_type"]), (&json!(1), &json!("echo")));
        let moment = |field: &str| {
            done[field].as_str().unwrap().parse::<pando_clock::Timestamp>().unwrap().as_micros()
        };
        assert_eq!((&done["created_at"], &done["run_at"]), (&body["created_at"], &body["run_at"]));
        let delay = moment("run_at") - moment("created_at");
        assert!((1_000_000..=2_000_000).contains(&delay), "{delay}");
        assert!(moment("completed_at") >= moment("run_at"));
        let at_once = house.create(&json!({"task_type": "echo", "data": {"n": 7}})).await;
        assert_eq!(at_once.json()["status"], "pending");
        let done = house.get(&format!("/api/v1/tasks/{}?wait=20", id(&at_once))).await.json();
        assert_eq!(done["result"], json!({"n": 7}));
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_and_nothing_is_stored() {
    each_house(async |house| {
        let fields = |body: Value| async move {
            let answer = house.create(&body).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
            let errors = answer.json()["errors"].as_array().unwrap().clone();
            errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(fields(json!({})).await, ["task_type"]);
        assert_eq!(fields(json!({"type": "sleep", "data": {"ms": -1}})).await, ["data.ms"]);
        for data in [json!([1]), json!("text"), json!(7), json!(true)] {
            assert_eq!(fields(json!({"type": "echo", "data": data})).await, ["data"]);
        }
        let many = json!({"type": "echo", "delay": "soon", "max_retries": -1, "priority": 10,
            "unique_key": "", "callback_url": "ftp://x/"});
        assert_eq!(fields(many).await, ["delay", "max_retries", "priority", "unique_key", "callback_url"]);
        assert_eq!(
            fields(json!({"type": "echo", "delay": "1s", "run_at": "2026-01-01T00:00:00Z"})).await,
            ["run_at"]
        );
        assert_eq!(fields(json!({"type": "echo", "run_at": "2999-01-01T00:00:00Z"})).await, ["run_at"]);
        let unknown = house.create(&json!({"type": "dance"})).await;
        let message = unknown.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert_eq!(message, "must be one of echo, http_callback, sleep");
        for path in ["/api/v1/tasks/nonsense", "/api/v1/tasks/019aa1d2-3b4c-7d5e-8f60-718293a4b5c6"] {
            assert_eq!(house.get(path).await.status, StatusCode::NOT_FOUND);
        }
        assert_eq!(house.get("/api/v1/tasks").await.json(), json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_stored_is_never_accepted() {
    each_house(async |house| {
        house.database.close().await;
        let refused = house.create(&json!({"type": "echo"})).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers.contains_key("retry-after"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_stores_one_task() {
    each_house(async |house| {
        let post = async |key: &str, body: &str| {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            house.ask(Method::POST, "/api/v1/tasks/delayed", &headers, body).await
        };
        let body = r#"{"type": "echo", "data": {"n": 1}}"#;
        let first = post("k-1", body).await;
        let again = post("k-1", body).await;
        assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
        assert_eq!(first.body, again.body);
        assert_eq!(first.headers["location"], again.headers["location"]);
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert!(!first.headers.contains_key("idempotent-replayed"));
        let other = post("k-1", r#"{"type": "echo", "data": {"n": 2}}"#).await;
        assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(post("not a key", body).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(house.get("/api/v1/tasks").await.json().as_array().unwrap().len(), 1);
        // While a task of this key has not ended, it is the one.
        let unique = json!({"type": "echo", "unique_key": "one", "delay": "1h"});
        let (one, two) = (house.create(&unique).await, house.create(&unique).await);
        assert_eq!(id(&one), id(&two));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_are_cancelled_while_they_wait_and_while_they_run() {
    each_house(async |house| {
        let waiting = house.create(&json!({"type": "echo", "delay": "1h"})).await;
        let path = format!("/api/v1/tasks/{}", id(&waiting));
        let cancelled = house.ask(Method::DELETE, &path, &[], "").await;
        assert_eq!((cancelled.status, &cancelled.json()["status"]), (StatusCode::OK, &json!("cancelled")));
        assert_eq!(house.ask(Method::DELETE, &path, &[], "").await.status, StatusCode::CONFLICT);
        let worker = house.worker();
        let running = house.create(&json!({"type": "sleep", "data": {"ms": 60_000}})).await;
        let path = format!("/api/v1/tasks/{}", id(&running));
        let until = async |status: &str| {
            for _ in 0..200 {
                let task = house.get(&format!("{path}?wait=100ms")).await.json();
                if task["status"] == status {
                    return;
                }
            }
            panic!("it never becomes {status}");
        };
        until("processing").await;
        assert_eq!(house.ask(Method::DELETE, &path, &[], "").await.status, StatusCode::OK);
        until("cancelled").await;
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_follow_a_task_to_its_end() {
    each_house(async |house| {
        let created = house.create(&json!({"type": "sleep", "data": {"ms": 1_000}, "delay": "2s"})).await;
        let path = format!("/api/v1/tasks/{}/events", id(&created));
        let response = house.open(Method::GET, &path, &[], "").await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let worker = house.worker();
        let body = tokio::time::timeout(Duration::from_secs(30), response.into_body().collect()).await;
        let text = String::from_utf8(body.unwrap().unwrap().to_bytes().to_vec()).unwrap();
        let tasks: Vec<Value> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(tasks.first().unwrap()["status"], "scheduled");
        assert_eq!(tasks.last().unwrap()["status"], "completed");
        assert!(tasks.iter().any(|task| task["progress"]["percent"].is_u64()), "{text}");
        assert_eq!(tasks.last().unwrap()["progress"]["percent"], 100);
        // A browser connects again by itself, with the id of the last event it has. Then it must learn to stop.
        let last = text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
        let again = house.ask(Method::GET, &path, &[("last-event-id", last)], "").await;
        assert_eq!(again.status, StatusCode::NO_CONTENT);
        let earlier = house.ask(Method::GET, &path, &[("last-event-id", "scheduled-0-1")], "").await;
        assert_eq!(earlier.status, StatusCode::OK);
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_go_page_by_page_and_by_status() {
    each_house(async |house| {
        let mut ids = Vec::new();
        for number in 0..5 {
            let delay = if number < 3 { "1h" } else { "0s" };
            ids.push(id(&house.create(&json!({"type": "echo", "delay": delay})).await));
        }
        ids.reverse();
        let listed = |answer: &Answer| {
            let tasks = answer.json().as_array().unwrap().clone();
            tasks.iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let first = house.get("/api/v1/tasks?limit=2").await;
        let link = first.headers["link"].to_str().unwrap().to_owned();
        let next = link.split_once('<').unwrap().1.split_once('>').unwrap().0;
        assert_eq!([listed(&first), listed(&house.get(next).await)].concat(), ids[..4]);
        assert_eq!(listed(&house.get("/api/v1/tasks?status=scheduled&type=echo").await), ids[2..]);
        assert_eq!(listed(&house.get("/api/v1/tasks?status=pending").await), ids[..2]);
        assert!(listed(&house.get("/api/v1/tasks?before=2020-01-01T00:00:00Z").await).is_empty());
        for bad in ["status=odd", "since=-009999-01-02T01:59:59Z", "before=%2B10000-01-01T00:00:00Z"] {
            assert_eq!(
                house.get(&format!("/api/v1/tasks?{bad}")).await.status,
                StatusCode::BAD_REQUEST,
                "{bad}"
            );
        }
        assert_eq!(listed(&house.get("/api/v1/tasks?since=0001-01-01T00:00:00Z").await), ids);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_became_due_is_listed_as_pending_before_a_worker_looks() {
    each_house(async |house| {
        let soon = id(&house.create(&json!({"type": "echo", "delay": "300ms"})).await);
        for _ in 0..200 {
            let task = house.get(&format!("/api/v1/tasks/{soon}?wait=50ms")).await.json();
            if task["status"] == "pending" {
                let pending = house.get("/api/v1/tasks?status=pending").await.json();
                assert_eq!(pending[0]["id"], json!(soon));
                assert_eq!(house.get("/api/v1/tasks?status=scheduled").await.json(), json!([]));
                return;
            }
        }
        panic!("it never becomes due");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_leave_results_out_and_large_data_is_refused() {
    each_house(async |house| {
        let created = house.create(&json!({"type": "echo", "data": {"text": "a".repeat(60_000)}})).await;
        assert_eq!(created.status, StatusCode::ACCEPTED);
        assert_eq!(house.queue.run_until_idle(&house.registry).await.unwrap(), 1);
        let listed = house.get("/api/v1/tasks").await;
        assert!(listed.body.len() < 1_000 && listed.json()[0].get("result").is_none());
        let task = house.get(&format!("/api/v1/tasks/{}", id(&created))).await.json();
        assert_eq!(task["result"]["text"].as_str().unwrap().len(), 60_000);
        let large = house.create(&json!({"type": "echo", "data": {"a": "a".repeat(70_000)}})).await;
        let error = large.json()["errors"][0].clone();
        assert_eq!((large.status, &error["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("data")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_are_listed_and_those_of_the_program_itself_are_not_to_be_had() {
    each_house(async |house| {
        let types = house.get("/api/v1/tasks/types").await.json();
        let names: Vec<&str> =
            types.as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
        assert_eq!(names, ["echo", "http_callback", "sleep"]);
        assert_eq!(types[1]["schema"]["required"], json!(["url"]));
        let mut registry = house.registry.clone();
        registry.add(JobKind::new("inner", async |_, _| Ok(Value::Null))).unwrap();
        let fields = json!({"type": "inner"});
        let (options, now) = (pando_tasks::TasksOptions::default(), house.queue.clock().now());
        let refused = pando_tasks::TaskRequest::parse(fields.as_object().unwrap(), &registry, &options, now);
        assert_eq!(refused.unwrap_err().class(), pando_service::Class::Invalid);
    })
    .await;
}

/// A bare server that takes one request and answers 204: what is called back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_called_when_the_task_has_ended() {
    each_house(async |house| {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/done?x=1", listener.local_addr().unwrap());
        let called = pando_telemetry::spawn("test_called", async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut piece = [0; 1_024];
                let read = stream.read(&mut piece).await.unwrap();
                assert!(read > 0, "the request broke off");
                request.extend_from_slice(&piece[..read]);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            String::from_utf8(request).unwrap()
        });
        let worker = house.worker();
        let created = house.create(&json!({"type": "echo", "callback_url": url})).await;
        let request = tokio::time::timeout(Duration::from_secs(20), called).await.unwrap().unwrap();
        assert!(request.starts_with("POST /done?x=1 HTTP/1.1\r\n"), "{request}");
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body, json!({"task_id": id(&created), "status": "completed"}));
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_pause_look_and_bring_dead_letters_back() {
    each_house(async |house| {
        let paused = house.post("/api/v1/admin/queues/default/pause", &json!({})).await;
        assert_eq!(paused.status, StatusCode::NO_CONTENT);
        let created = house.create(&json!({"type": "echo", "data": {"secret": 1}})).await;
        let mut fails = Registry::default();
        fails.add(JobKind::new("echo", async |_, _| Err(JobError::give_up("no")))).unwrap();
        assert_eq!(house.queue.run_until_idle(&fails).await.unwrap(), 0);
        let queues = house.get("/api/v1/admin/queues").await.json();
        assert_eq!((&queues[0]["paused"], &queues[0]["counts"]["pending"]), (&json!(true), &json!(1)));
        house.post("/api/v1/admin/queues/default/resume", &json!({})).await;
        assert_eq!(house.queue.run_until_idle(&fails).await.unwrap(), 1);
        let task = house.get(&format!("/api/v1/tasks/{}", id(&created))).await.json();
        assert_eq!((&task["status"], &task["error"]), (&json!("failed"), &json!("no")));
        let job = house.get(&format!("/api/v1/admin/jobs/{}", id(&created))).await.json();
        assert_eq!(job["payload"], json!({"secret": 1}));
        let groups = house.get("/api/v1/admin/dead-letters").await.json();
        assert_eq!((&groups[0]["count"], &groups[0]["error"]), (&json!(1), &json!("no")));
        let redrive = async |dry_run: bool| {
            let body = json!({"fingerprint": groups[0]["fingerprint"], "dry_run": dry_run});
            house.post("/api/v1/admin/dead-letters/redrive", &body).await.json()
        };
        assert_eq!(redrive(true).await, json!({"selected": 1, "redriven": 0}));
        assert_eq!(redrive(false).await, json!({"selected": 1, "redriven": 1}));
        assert_eq!(house.queue.run_until_idle(&house.registry).await.unwrap(), 1);
        let task = house.get(&format!("/api/v1/tasks/{}", id(&created))).await.json();
        assert_eq!(task["status"], "completed");
    })
    .await;
}
