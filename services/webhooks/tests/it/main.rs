//! Webhooks on real engines, with a real receiver: each test runs on SQLite and on PostgreSQL, each time on an empty database.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod deliveries;
mod endpoints;
mod receiver;
mod tenants;

use std::time::Duration;

use http::Method;
use pando_clock::Clock;
use pando_queue::{Event, Outbox, Registry, Relay, Subscriber};
use pando_resilience::Tenant;
use pando_service::testing::{self, Answer, TestHouse, TestServer, still_clock};
use pando_service::{EventType, Parts};
use pando_webhooks::{EVENTS, MIGRATIONS, WebhooksOptions, open};
use serde_json::{Value, json};
use tokio::sync::watch;
use utoipa::ToSchema;

pub(crate) use pando_service::testing::call;
pub(crate) use receiver::Receiver;

/// The data of the events that the tests publish.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is read")]
struct TreeData {
    risk_level: String,
}

const TREES: &[EventType] = &[
    EventType::of::<TreeData>("tree.planted", "A tree was planted."),
    EventType::of::<TreeData>("tree.felled", "A tree was felled."),
];

/// The service on one engine, its clock scripted, and a server for it.
pub(crate) struct House {
    pub(crate) parts: Parts,
    pub(crate) server: TestServer,
    pub(crate) clock: Clock,
    registry: Registry,
    outbox: Outbox,
    heard: watch::Receiver<u64>,
    _relay: Relay,
    _folder: tempfile::TempDir,
}

/// Runs a test in a fresh house on every engine. Webhooks may be on this machine.
pub(crate) async fn each_house(test: impl AsyncFn(House)) {
    let options = WebhooksOptions {
        allow_http: true,
        networks: vec!["127.0.0.0/8".to_owned()],
        ..WebhooksOptions::default()
    };
    each_house_with(options, test).await;
}

/// The same with other settings.
pub(crate) async fn each_house_with(options: WebhooksOptions, test: impl AsyncFn(House)) {
    testing::each_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, folder }| {
        let mut registry = Registry::default();
        let types = TREES.iter().chain(EVENTS);
        let service = open(&parts, types, options.clone(), &mut registry).unwrap();
        let outbox = Outbox::new(&parts.queue, "trees");
        // The second subscriber is given an event after the first has it, or at the same time: both are waited for.
        let (hears, heard) = watch::channel(0);
        let last = Subscriber::durable("test", move |events| {
            hears.send_modify(|count| *count += events.len() as u64);
            async { Ok(()) }
        });
        let mut subscribers = service.subscribers.clone();
        subscribers.push(last);
        let relay = Relay::start(&outbox, subscribers).await.unwrap();
        let server = TestServer::start(&parts, service);
        let clock = parts.clock.clone();
        test(House { parts, server, clock, registry, outbox, heard, _relay: relay, _folder: folder }).await;
    })
    .await;
}

impl House {
    /// Creates a webhook with these fields besides a name, an address and a type of event.
    pub(crate) async fn webhook(&self, receiver: &Receiver, more: Value) -> Value {
        let mut fields = json!({"name": "test", "url": receiver.url(), "events": ["tree.planted"]});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.server.post("/v1/webhooks", &fields).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// An event of a tree.
    pub(crate) fn event(&self, kind: &str, tree: &str, version: i64, data: Value) -> Event {
        self.outbox.event(kind, tree, version, data)
    }

    /// Publishes events, and waits until each webhook has those that it wants, as jobs that are due.
    pub(crate) async fn publish(&self, events: &[Event]) {
        let mut heard = self.heard.clone();
        let before = *heard.borrow();
        let mut tx = self.parts.database.transaction(&call()).await.unwrap();
        self.outbox.publish_all(&mut tx, events).unwrap();
        tx.commit().await.unwrap();
        let all = before + events.len() as u64;
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, heard.wait_for(|count| *count >= all)).await.unwrap().unwrap();
        tokio::time::timeout(patience, async {
            while self.outbox.lag(&call()).await.unwrap().iter().any(|lag| lag.events > 0) {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    /// Plants a tree.
    pub(crate) async fn plant(&self, tree: &str) {
        self.publish(&[self.event("tree.planted", tree, 1, json!({"risk_level": "low"}))]).await;
    }

    /// Runs every job that is due.
    pub(crate) async fn work(&self) {
        self.parts.queue.run_until_idle(&self.registry).await.unwrap();
    }

    /// Moves the clock on, and runs every job that is due since.
    pub(crate) async fn after(&self, seconds: f64) {
        self.clock.advance(Duration::from_secs_f64(seconds));
        self.work().await;
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        self.server.ask(method, path, &[], "").await
    }

    /// The webhook as it is now.
    pub(crate) async fn now(&self, webhook: &Value) -> Value {
        self.server.get(&path(webhook, "")).await.json()
    }

    /// The deliveries of a webhook, the newest event first.
    pub(crate) async fn deliveries(&self, webhook: &Value) -> Vec<Value> {
        let page = self.server.get(&path(webhook, "/deliveries?limit=100")).await.json();
        page["deliveries"].as_array().unwrap().clone()
    }
}

/// The path of a webhook, or of something below it.
pub(crate) fn path(webhook: &Value, below: &str) -> String {
    format!("/api/v1/webhooks/{}{below}", webhook["webhook_id"].as_str().unwrap())
}

/// An event of another tenant.
pub(crate) fn of_tenant(mut event: Event, tenant: &str) -> Event {
    event.tenant = Tenant::named(tenant).unwrap();
    event
}
