//! Deliveries to webhooks, beside a bare sender of the same bodies.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::report::Report;
use crate::server::Server;

/// Events of one run.
const EVENTS: u64 = 20_000;
/// Profiles of one batch, each of which is an event.
const BATCH: u64 = 1_000;
/// Webhooks, which get the events together.
const WEBHOOKS: u64 = 4;
/// Requests on their way at once, of the bare sender and of all webhooks.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(120);

/// The servers that all rounds share.
pub(crate) struct Stage {
    servers: [(&'static str, Server, Vec<String>); 2],
    receiver: Receiver,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Rates of every round, by contestant.
#[derive(Default)]
pub(crate) struct Rates {
    bare: Vec<f64>,
    sqlite: Vec<f64>,
    postgres: Vec<f64>,
}

/// A receiver that counts.
#[derive(Clone)]
struct Receiver {
    url: String,
    received: Arc<AtomicU64>,
    arrived: Arc<Notify>,
}

impl Stage {
    /// Starts a server on each engine, and makes webhooks that wait.
    pub(crate) async fn set(binary: &Path, folder: &Path, postgres_url: &str) -> Result<Self> {
        let receiver = Receiver::start().await?;
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(AT_ONCE).build_http();
        let here =
            [("PANDO_WEBHOOKS__ALLOW_HTTP", "true"), ("PANDO_WEBHOOKS__NETWORKS", "[\"127.0.0.0/8\"]")];
        let on_postgres = [&here[..], &[("DATABASE_URL", postgres_url)]].concat();
        let sqlite = Server::start(binary, &folder.join("webhooks-sqlite"), &here).await?;
        let postgres = Server::start(binary, &folder.join("webhooks-postgres"), &on_postgres).await?;
        let mut stage = Self {
            servers: [("SQLite", sqlite, Vec::new()), ("PostgreSQL", postgres, Vec::new())],
            receiver,
            client,
        };
        for place in 0..stage.servers.len() {
            for _ in 0..WEBHOOKS {
                let fields = json!({
                    "url": stage.receiver.url, "events": ["profile_created"], "status": "paused",
                    "concurrency": AT_ONCE as u64 / WEBHOOKS,
                });
                let url = format!("{}/api/v1/webhooks", stage.servers[place].1.url);
                let made = stage.send("POST", &url, &fields).await?;
                let id = made["webhook_id"].as_str().context("a webhook has an id")?.to_owned();
                stage.servers[place].2.push(id);
            }
        }
        Ok(stage)
    }

    async fn send(&self, method: &str, url: &str, body: &Value) -> Result<Value> {
        let request = Request::builder().method(method).uri(url).header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body.to_string())))?;
        let answer = self.client.request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{method} {url} answered {status}: {body:?}");
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// One measurement of every contestant.
    pub(crate) async fn round(&self, round: usize, rates: &mut Rates) -> Result<()> {
        rates.bare.push(self.bare().await?);
        rates.sqlite.push(self.deliver(0, round).await?);
        rates.postgres.push(self.deliver(1, round).await?);
        Ok(())
    }

    /// The rate of a bare sender of bodies of the same size and headers.
    async fn bare(&self) -> Result<f64> {
        let body = Bytes::from(json!({
            "event": "profile_created", "id": "evt_019b76daa80070008000000000000005",
            "webhook_id": "wh_019b76daa80070008000000000000003", "timestamp": "2026-01-01T00:00:00.000000Z",
            "data": {"id": "019b76da-a800-7000-8000-000000000001", "version": 1},
        }).to_string());
        let begun = Instant::now();
        let count = EVENTS * WEBHOOKS / 4;
        let sending = stream::iter(0..count).map(|_| {
            let request = Request::post(&self.receiver.url)
                .header("content-type", "application/json")
                .header("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
                .body(Full::new(body.clone()));
            async move {
                let answer = self.client.request(request?).await?;
                drop(answer.into_body().collect().await?);
                Ok::<_, anyhow::Error>(())
            }
        });
        let mut sending = sending.buffer_unordered(AT_ONCE);
        while let Some(sent) = sending.next().await {
            sent?;
        }
        Ok(per_second(count, begun.elapsed()))
    }

    /// The rate from the moment when the webhooks become active until everything has arrived. The events wait for them.
    async fn deliver(&self, place: usize, round: usize) -> Result<f64> {
        let (name, server, webhooks) = &self.servers[place];
        for batch in 0..EVENTS / BATCH / WEBHOOKS {
            let person = |number: u64| json!({"name": "Ann", "email": format!("ann{name}{round}.{batch}.{number}@example.org")});
            let people: Vec<Value> = (0..BATCH).map(person).collect();
            self.send("POST", &format!("{}/api/v1/profiles:batch", server.url), &Value::Array(people))
                .await?;
        }
        let expected = EVENTS / WEBHOOKS;
        self.wait_for_fan_out(server, &webhooks[0], expected * (round as u64 + 1)).await?;
        let before = self.receiver.received.load(Ordering::Relaxed);
        let begun = Instant::now();
        for webhook in webhooks {
            let url = format!("{}/api/v1/webhooks/{webhook}", server.url);
            self.send("PATCH", &url, &json!({"status": "active"})).await?;
        }
        self.receiver.until(before + EVENTS).await.with_context(|| format!("deliveries on {name}"))?;
        let took = begun.elapsed();
        for webhook in webhooks {
            let url = format!("{}/api/v1/webhooks/{webhook}", server.url);
            self.send("PATCH", &url, &json!({"status": "paused"})).await?;
        }
        Ok(per_second(EVENTS, took))
    }

    /// Waits until a webhook has so many deliveries.
    async fn wait_for_fan_out(&self, server: &Server, webhook: &str, expected: u64) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        while self.deliveries(server, webhook).await? < expected {
            ensure!(Instant::now() < limit, "{expected} events did not reach the webhooks in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// How many deliveries a webhook has.
    async fn deliveries(&self, server: &Server, webhook: &str) -> Result<u64> {
        let list = format!("{}/api/v1/webhooks/{webhook}/deliveries?limit=100", server.url);
        let (mut count, mut cursor) = (0, String::new());
        loop {
            let page = self.send("GET", &format!("{list}{cursor}"), &json!({})).await?;
            count += page["deliveries"].as_array().map_or(0, Vec::len) as u64;
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(count),
            }
        }
    }
}

impl Rates {
    pub(crate) fn judge(&self, report: &mut Report) {
        let (sqlite, postgres) = (
            "deliveries of webhooks on SQLite / a bare sender of such bodies",
            "deliveries of webhooks on PostgreSQL / a bare sender of such bodies",
        );
        report.compare(sqlite, &self.sqlite, &self.bare, "deliveries/s", None);
        report.compare(postgres, &self.postgres, &self.bare, "deliveries/s", None);
    }
}

impl Receiver {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let (received, arrived) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let receiver = Self { url, received, arrived };
        let receiving = receiver.clone();
        pando_telemetry::spawn("receiver", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiving = receiving.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let receiving = receiving.clone();
                    async move {
                        drop(request.into_body().collect().await);
                        receiving.received.fetch_add(1, Ordering::Relaxed);
                        receiving.arrived.notify_waiters();
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                    }
                });
                pando_telemetry::spawn("received", async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Ok(receiver)
    }

    /// Waits until so many requests have come.
    async fn until(&self, count: u64) -> Result<()> {
        let arrived = async {
            while self.received.load(Ordering::Relaxed) < count {
                let next = self.arrived.notified();
                if self.received.load(Ordering::Relaxed) < count {
                    next.await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, arrived).await.context("not everything arrived in time")
    }
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
