//! Webhooks themselves: what a caller can say about them, and what is refused.

use http::Method;
use pando_webhooks::WebhooksOptions;
use serde_json::{Value, json};

use crate::{Receiver, each_house, each_house_with, path};

#[tokio::test]
async fn a_webhook_is_created_read_listed_changed_and_replaced() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        let created = house.webhook(&receiver, json!({"name": "Orders", "events": ["*"]})).await;
        assert!(created["secret"].as_str().unwrap().starts_with("whsec_"));
        let read = house.server.get(&path(&created, "")).await;
        let mut shown = created.clone();
        shown.as_object_mut().unwrap().remove("secret");
        assert_eq!(read.json(), shown, "the secret is shown once");
        assert_eq!(read.json()["retry_policy"]["max_retries"], 3);

        let other = house.webhook(&receiver, json!({"name": "Trees"})).await;
        let ids = |page: &Value| -> Vec<Value> {
            page["webhooks"].as_array().unwrap().iter().map(|one| one["webhook_id"].clone()).collect()
        };
        for (query, expected) in [
            ("", vec![&other, &created]),
            ("?search=ORD", vec![&created]),
            ("?event_type=tree.felled", vec![&created]),
            ("?status=paused", vec![]),
            ("?page=2&page_size=1", vec![&created]),
        ] {
            let page = house.server.get(&format!("/v1/webhooks{query}")).await.json();
            let expected: Vec<Value> = expected.iter().map(|one| one["webhook_id"].clone()).collect();
            assert_eq!(ids(&page), expected, "{query}");
        }

        let headers = json!({"headers": {"X-Key": "one"}, "active": false}).to_string();
        let changed = house.server.ask(Method::PATCH, &path(&created, ""), &[], headers).await;
        assert_eq!(changed.json()["headers"], json!({"x-key": "***"}));
        assert_eq!((&changed.json()["status"], &changed.json()["version"]), (&json!("inactive"), &json!(2)));
        let stale = house.server.ask(Method::DELETE, &path(&created, ""), &[("if-match", "\"1\"")], "").await;
        assert_eq!(stale.status, 412);
        let fields = json!({"url": receiver.url(), "events": ["tree.felled"]}).to_string();
        let replaced = house.server.ask(Method::PUT, &path(&created, ""), &[], fields).await.json();
        assert_eq!((&replaced["name"], &replaced["headers"]), (&json!(""), &json!({})));
        assert_eq!(replaced["status"], "active");
    })
    .await;
}

#[tokio::test]
async fn every_bad_field_is_named_in_the_form_that_clients_expect() {
    each_house(async |house| {
        let body = json!({
            "url": "ftp://example.org", "events": ["tree.planted", "nothing"], "secret": "short",
            "status": "disabled", "retry_policy": {"max_retries": 51}, "rate_limit": {"requests": 1},
            "headers": {"Host": "example.org"}, "concurrency": 0, "name": 5,
        });
        let answer = house.server.post("/v1/webhooks", &body).await;
        assert_eq!(answer.status, 400);
        let error = answer.json();
        assert_eq!(error["error"]["code"], "VALIDATION_ERROR");
        let mut fields: Vec<&str> = error["error"]["validation"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault["field"].as_str().unwrap())
            .collect();
        fields.sort_unstable();
        let expected = [
            "concurrency",
            "events[1]",
            "headers.Host",
            "name",
            "rate_limit",
            "retry_policy",
            "secret",
            "status",
            "url",
        ];
        assert_eq!(fields, expected);
        assert!(error["request_id"].is_string() && error["timestamp"].is_string());
        assert_eq!((&error["path"], &error["method"]), (&json!("/api/v1/webhooks"), &json!("POST")));
        let missing = house.server.get("/v1/webhooks/wh_0").await;
        assert_eq!((missing.status.as_u16(), &missing.json()["error"]["code"]), (404, &json!("NOT_FOUND")));
        let method = house.server.ask(Method::DELETE, "/v1/webhooks", &[], "").await;
        assert_eq!(
            (method.status.as_u16(), &method.json()["error"]["code"]),
            (405, &json!("VALIDATION_ERROR"))
        );
    })
    .await;
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_also_behind_a_name() {
    each_house_with(WebhooksOptions::default(), async |house| {
        for url in [
            "http://example.org/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/",
            "https://user@example.org/",
            "",
        ] {
            let answer = house.server.post("/v1/webhooks", &json!({"url": url, "events": ["*"]})).await;
            assert_eq!(answer.status, 400, "{url}");
            assert_eq!(answer.json()["error"]["validation"][0]["code"], "INVALID_URL");
        }
    })
    .await;
    let options = WebhooksOptions { allow_http: true, ..WebhooksOptions::default() };
    each_house_with(options, async |house| {
        let receiver = Receiver::start().await;
        let url = format!("http://localhost:{}/", receiver.port());
        let webhook = house.webhook(&receiver, json!({"url": url})).await;
        house.plant("oak").await;
        house.work().await;
        assert!(receiver.take().is_empty());
        let [delivery] = &*house.deliveries(&webhook).await else { panic!("there is one delivery") };
        assert_eq!(delivery["status"], "dead", "another attempt cannot end otherwise");
        assert!(delivery["error"].as_str().unwrap().contains("private network"), "{delivery}");
    })
    .await;
}

#[tokio::test]
async fn for_a_time_both_secrets_sign() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        let webhook = house.webhook(&receiver, json!({})).await;
        let rotated = house.ask(Method::POST, &path(&webhook, "/rotate-secret")).await.json();
        assert_ne!(rotated["secret"], webhook["secret"]);
        for (signatures, hours) in [(2, 24), (1, 0)] {
            let tested = house.ask(Method::POST, &path(&webhook, "/test")).await;
            assert_eq!(tested.status, 202);
            house.work().await;
            let [received] = &*receiver.take() else { panic!("one event came") };
            assert_eq!(received.json()["event"], "webhook.test");
            assert_eq!(received.header("webhook-signature").split(' ').count(), signatures);
            house.clock.advance(std::time::Duration::from_secs(hours * 3_600));
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeated_creation_gets_the_same_secret() {
    each_house(async |house| {
        let body = json!({"url": "http://127.0.0.1:1/", "events": ["*"]}).to_string();
        let create = async || {
            let key = [("idempotency-key", "one")];
            house.server.ask(Method::POST, "/api/v1/webhooks", &key, body.clone()).await
        };
        let (first, second) = (create().await, create().await);
        assert_eq!(first.json(), second.json());
        assert_eq!(house.server.get("/v1/webhooks").await.json()["total"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_has_a_bounded_number_of_webhooks() {
    let options = WebhooksOptions { endpoints_max: 2, ..WebhooksOptions::default() };
    each_house_with(options, async |house| {
        let body = json!({"url": "https://example.org/", "events": ["*"]});
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(house.server.post("/v1/webhooks", &body).await.status.as_u16());
        }
        assert_eq!(statuses, [201, 201, 409]);
    })
    .await;
}

#[tokio::test]
async fn the_schemas_of_events_describe_what_a_webhook_gets() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        house.webhook(&receiver, json!({})).await;
        house.plant("oak").await;
        house.work().await;
        let types = house.server.get("/v1/webhooks/event-types").await.json();
        let types = types["event_types"].as_array().unwrap();
        let planted = types.iter().find(|one| one["name"] == "tree.planted").unwrap();
        let schema = pando_schema::Schema::compile(&planted["schema"]).unwrap();
        let received = receiver.take();
        assert!(schema.faults(&received[0].json()).is_empty(), "{schema:?}");
        let mut other = received[0].json();
        other["data"]["risk_level"] = json!(5);
        assert_eq!(schema.faults(&other).len(), 1);
    })
    .await;
}
