//! Callbacks as a plain server on this machine receives them: what they say, and which of them are never sent.

use std::time::Duration;

use http::{Method, StatusCode};
use pando_tasks::TasksOptions;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::harness::{House, each_house, each_house_with};

/// Answers 204 to every request, and passes on what it was sent.
async fn receiver() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::unbounded_channel();
    pando_telemetry::spawn("test_called", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = sender.send(request(stream).await);
        }
    });
    (url, requests)
}

async fn request(mut stream: TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 1_024];
        let read = stream.read(&mut piece).await.unwrap();
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let whole = text.find("\r\n\r\n").is_some_and(|end| request.len() >= end + 4 + length.unwrap_or(0));
        if whole || read == 0 {
            break;
        }
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    String::from_utf8(request).unwrap()
}

async fn next(requests: &mut mpsc::UnboundedReceiver<String>) -> String {
    tokio::time::timeout(Duration::from_secs(30), requests.recv()).await.unwrap().unwrap()
}

fn body_of(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// How often a line of the head begins with this name.
fn count_of(request: &str, name: &str) -> usize {
    request.to_lowercase().lines().filter(|line| line.starts_with(&format!("{name}:"))).count()
}

fn path_of(created: &Value) -> String {
    format!("/api/v1/tasks/{}", created["id"].as_str().unwrap())
}

async fn cancel_once_processing(house: &House, path: &str) {
    for _ in 0..200 {
        if house.get(&format!("{path}?wait=100ms")).await.json()["status"] == "processing" {
            assert_eq!(house.ask(Method::DELETE, path, &[], "").await.status, StatusCode::OK);
            return;
        }
    }
    panic!("it never runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_callback_of_a_cancelled_task_says_cancelled() {
    each_house(async |house| {
        let (url, mut requests) = receiver().await;
        let worker = house.worker();
        let waiting = json!({"type": "echo", "delay": "1h", "callback_url": url});
        let waiting = house.create(&waiting).await.json();
        house.ask(Method::DELETE, &path_of(&waiting), &[], "").await;
        let told = body_of(&next(&mut requests).await);
        assert_eq!(told, json!({"task_id": waiting["id"], "status": "cancelled"}));

        let running = json!({"type": "sleep", "data": {"ms": 60_000}, "callback_url": url});
        let running = house.create(&running).await.json();
        cancel_once_processing(house, &path_of(&running)).await;
        let told = body_of(&next(&mut requests).await);
        assert_eq!(told, json!({"task_id": running["id"], "status": "cancelled"}));
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_unique_key_calls_nobody_until_the_task_that_holds_it_has_ended() {
    each_house(async |house| {
        let (url, mut requests) = receiver().await;
        let task = json!({"type": "echo", "delay": "1h", "unique_key": "one", "callback_url": url});
        let first = house.create(&task).await.json();
        let again = house.create(&task).await;
        assert_eq!((again.status, &again.json()["id"]), (StatusCode::ACCEPTED, &first["id"]));
        let elsewhere = json!({"type": "echo", "unique_key": "one", "callback_url": format!("{url}other")});
        let refused = house.create(&elsewhere).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(first["id"].as_str().unwrap()), "{detail}");

        let worker = house.worker();
        house.ask(Method::DELETE, &path_of(&first), &[], "").await;
        let told = body_of(&next(&mut requests).await);
        assert_eq!(told, json!({"task_id": first["id"], "status": "cancelled"}));
        worker.stop(Duration::from_secs(5)).await;
        assert!(requests.try_recv().is_err(), "the address was called once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_replaces_the_content_type_and_cannot_forge_the_delivery_id() {
    each_house(async |house| {
        let (url, mut requests) = receiver().await;
        let worker = house.worker();
        let headers = json!({"Content-Type": "text/plain", "Pando-Delivery-Id": "forged", "X-Mine": "yes"});
        let data = json!({"url": url, "headers": headers});
        let created = house.create(&json!({"type": "http_callback", "data": data})).await.json();
        let request = next(&mut requests).await.to_lowercase();
        assert_eq!((count_of(&request, "content-type"), count_of(&request, "pando-delivery-id")), (1, 1));
        assert!(request.contains("content-type: text/plain\r\n") && request.contains("x-mine: yes\r\n"));
        let id = format!("pando-delivery-id: {}\r\n", created["id"].as_str().unwrap());
        assert!(request.contains(&id), "{request}");
        assert!(request.contains("content-length: 0\r\n"), "an empty body says so: {request}");
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_could_never_be_sent_is_refused_at_once() {
    let only_metadata = TasksOptions { callback_networks: Vec::new(), ..TasksOptions::default() };
    each_house_with(&only_metadata, async |house| {
        for (data, field) in [
            (json!({"url": "http://example.org:99999/"}), "data.url"),
            (json!({"url": "http://127.0.0.1/"}), "data.url"),
            (json!({"url": "http://169.254.169.254/latest"}), "data.url"),
            (json!({"url": "http://[::ffff:10.0.0.1]/"}), "data.url"),
            (json!({"url": "http://example.org/", "headers": {"a b": "c"}}), "data.headers.a b"),
            (json!({"url": "http://example.org/", "headers": {"a": "b\r\nc: d"}}), "data.headers.a"),
        ] {
            let refused = house.create(&json!({"type": "http_callback", "data": data})).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{data}");
            assert_eq!(refused.json()["errors"][0]["field"], field, "{data}");
        }
        let refused = house.create(&json!({"type": "echo", "callback_url": "http://10.0.0.1/"})).await;
        assert_eq!(refused.json()["errors"][0]["field"], "callback_url");
        assert_eq!(house.get("/api/v1/tasks").await.json(), json!([]));
    })
    .await;
}
