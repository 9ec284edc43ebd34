//! With a real broker, there and away.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use pando_clock::Clock;
use pando_database::testing::TestDatabase;
use pando_database::{Database, Secret};
use pando_queue::{
    BrokerOptions, Event, EventExchange, MIGRATIONS, Outbox, Queue, QueueOptions, QueueParts, Relay,
    Subscriber,
};
use pando_resilience::Call;
use pando_servers::{Certificates, RabbitMq};
use pando_telemetry::Metrics;
use pando_tls::Tls;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// How many events before the broker crashes, and how many after.
const HALF: i64 = 30;

fn call() -> Call {
    Call::internal("test", Duration::from_secs(30))
}

fn broker(server: &RabbitMq) -> BrokerOptions {
    let namespace = format!("test{}", Clock::system().fresh_id().simple());
    BrokerOptions { url: Some(Secret::new(server.amqp_url())), namespace, ..BrokerOptions::default() }
}

/// One server for all of it: starting one is what takes time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_reach_the_broker_in_order_also_those_of_its_absence() {
    let server = RabbitMq::start();
    let events = Events::begin(&server).await;
    events.publish(1..=HALF).await;
    events.arrive_in_order(&server, 1..=HALF).await;
    server.kill();
    events.publish(HALF + 1..=HALF * 2).await;
    server.resurrect();
    events.arrive_in_order(&server, HALF + 1..=HALF * 2).await;
    events.relay.stop().await;
}

/// One server for all of it, here too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_over_tls_to_a_broker_that_is_trusted_and_to_no_other() {
    let (ours, strangers) = (Certificates::new(), Certificates::new());
    let server = RabbitMq::encrypted(&ours.server("rabbit"));
    let at = |host: &str, port: u16, authority: &Path| BrokerOptions {
        url: Some(Secret::new(format!("amqps://guest:guest@{host}:{port}/%2f"))),
        tls: Tls::only(authority),
        ..broker(&server)
    };
    let events = Events::begin_at(&server, at("localhost", server.tls_port(), &ours.authority())).await;
    events.publish(1..=HALF).await;
    events.arrive_in_order(&server, 1..=HALF).await;
    server.kill();
    events.publish(HALF + 1..=HALF * 2).await;
    server.resurrect();
    events.arrive_in_order(&server, HALF + 1..=HALF * 2).await;
    events.relay.stop().await;

    let refused = async |options: BrokerOptions| {
        let error = EventExchange::new(&options).unwrap().publish(&[]).await.unwrap_err();
        assert!(!error.contains("guest"), "{error}");
        error
    };
    let foreign = refused(at("localhost", server.tls_port(), &strangers.authority())).await;
    assert!(foreign.starts_with("no encrypted connection to the broker: "), "{foreign}");
    assert!(foreign.contains("no trusted authority has signed it"), "{foreign}");
    // The port without TLS.
    refused(at("localhost", server.port(), &ours.authority())).await;
}

/// It takes connections and says nothing, as one does that is stopped or overwhelmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_never_answers_keeps_nobody_waiting() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", silent.local_addr().unwrap().port());
    let options = BrokerOptions { url: Some(Secret::new(url)), ..BrokerOptions::default() };
    let test = TestDatabase::sqlite();
    let database = test.open().await;
    database.migrate(&[MIGRATIONS]).await.unwrap();
    let parts = QueueParts { database: database.clone(), clock: Clock::system(), metrics: Metrics::new() };
    let outbox = Outbox::new(&Queue::new(parts, QueueOptions::default()).unwrap(), "trees");
    let (given, mut events) = mpsc::unbounded_channel();
    let healthy = Subscriber::every_process("healthy", move |events: Vec<Event>| {
        let taken = events.into_iter().all(|event| given.send(event.version).is_ok());
        async move { if taken { Ok(()) } else { Err("nobody listens".to_owned()) } }
    });
    let subscribers = vec![Subscriber::rabbitmq(&options).unwrap(), healthy];
    let relay = Relay::start(&outbox, subscribers).await.unwrap();
    let mut connection = None;
    for version in 1..=HALF {
        let mut tx = database.transaction(&call()).await.unwrap();
        outbox.publish(&mut tx, &outbox.event("grown", "oak", version, Value::Null)).unwrap();
        tx.commit().await.unwrap();
        let event = tokio::time::timeout(Duration::from_secs(30), events.recv()).await;
        assert_eq!(event.expect("it is told").unwrap(), version);
        if version == 1 {
            connection = Some(silent.accept().await.unwrap());
        }
    }
    assert!(connection.is_some(), "the broker was asked");
    assert_eq!(outbox.lag(&call()).await.unwrap()[0].events, HALF.unsigned_abs(), "and took nothing");
    relay.stop().await;
}

/// Events of one subject, and a queue that is bound for them.
struct Events {
    outbox: Outbox,
    relay: Relay,
    inbox: String,
    database: Database,
    _test: TestDatabase,
}

impl Events {
    async fn begin(server: &RabbitMq) -> Self {
        Self::begin_at(server, broker(server)).await
    }

    async fn begin_at(server: &RabbitMq, options: BrokerOptions) -> Self {
        let test = TestDatabase::sqlite();
        let database = test.open().await;
        database.migrate(&[MIGRATIONS]).await.unwrap();
        let parts =
            QueueParts { database: database.clone(), clock: Clock::system(), metrics: Metrics::new() };
        let queue = Queue::new(parts, QueueOptions::default()).unwrap();
        let outbox = Outbox::new(&queue, "trees");
        let inbox = format!("{}.inbox", options.namespace);
        let relay = Relay::start(&outbox, vec![Subscriber::rabbitmq(&options).unwrap()]).await.unwrap();
        let events = Self { outbox, relay, inbox, database, _test: test };
        // The exchange is there since the first event: whoever binds a queue gets what follows.
        events.publish(0..=0).await;
        delivered(&events.outbox).await;
        events.bind(server, &options.namespace).await;
        events
    }

    async fn bind(&self, server: &RabbitMq, namespace: &str) {
        let connection =
            Connection::connect(&server.amqp_url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let inbox = self.inbox.as_str();
        channel.queue_declare(inbox.into(), durable, FieldTable::default()).await.unwrap();
        let (exchange, bind) = (format!("{}.events", namespace), QueueBindOptions::default());
        channel
            .queue_bind(inbox.into(), exchange.into(), "trees.*".into(), bind, FieldTable::default())
            .await
            .unwrap();
    }

    async fn publish(&self, versions: RangeInclusive<i64>) {
        for version in versions {
            let mut tx = self.database.transaction(&call()).await.unwrap();
            let event = self.outbox.event("grown", "oak", version, json!({"height": version}));
            self.outbox.publish(&mut tx, &event).unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// Repeats are allowed; what is new comes in order, and nothing is missing.
    async fn arrive_in_order(&self, server: &RabbitMq, versions: RangeInclusive<i64>) {
        let (mut seen, mut fresh) = (BTreeSet::new(), Vec::new());
        let read = match read_until(server, &self.inbox, *versions.end()).await {
            Ok(read) => read,
            Err(read) => {
                let lag = self.outbox.lag(&call()).await;
                panic!("no event comes after {read:?}, and the broker lacks {lag:?}");
            }
        };
        for version in read {
            if versions.contains(&version) && seen.insert(version) {
                fresh.push(version);
            }
        }
        assert_eq!(fresh, versions.collect::<Vec<_>>());
    }
}

/// Waits until the broker has everything.
async fn delivered(outbox: &Outbox) {
    let delivering = async {
        while outbox.lag(&call()).await.unwrap()[0].events > 0 {
            // The relay does not tell: a look now and then.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), delivering).await.expect("the broker is given everything");
}

/// The versions in an inbox up to this one; those that came if it does not come.
async fn read_until(server: &RabbitMq, inbox: &str, until: i64) -> Result<Vec<i64>, Vec<i64>> {
    let connection = Connection::connect(&server.amqp_url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let options = BasicConsumeOptions::default();
    let mut consumer =
        channel.basic_consume(inbox.into(), "".into(), options, FieldTable::default()).await.unwrap();
    let mut versions = Vec::new();
    while versions.last() != Some(&until) {
        let Ok(next) = tokio::time::timeout(Duration::from_secs(60), consumer.next()).await else {
            return Err(versions);
        };
        let delivery = next.unwrap().unwrap();
        let event: Value = serde_json::from_slice(&delivery.data).unwrap();
        assert_eq!(delivery.routing_key.as_str(), "trees.grown");
        versions.push(event["version"].as_i64().unwrap());
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    // A consumer that is still there would be given what the next one waits for.
    connection.close(200, "done".into()).await.unwrap();
    Ok(versions)
}
