//! With a real broker, there and away.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use pando_clock::Clock;
use pando_database::testing::TestDatabase;
use pando_database::{Database, Secret};
use pando_queue::conformance::exercise_carried;
use pando_queue::{
    BrokerOptions, Job, JobKind, JobState, MIGRATIONS, Outbox, Queue, QueueOptions, QueueParts, Registry,
    Relay, Subscriber, Worker,
};
use pando_resilience::Call;
use pando_servers::RabbitMq;
use pando_telemetry::Metrics;
use serde_json::{Value, json};

fn call() -> Call {
    Call::internal("test", Duration::from_secs(30))
}

fn broker(server: &RabbitMq) -> BrokerOptions {
    let namespace = format!("test{}", Clock::system().fresh_id().simple());
    BrokerOptions { url: Some(Secret::new(server.amqp_url())), namespace, ..BrokerOptions::default() }
}

fn open(database: &Database, broker: &BrokerOptions, poll_ms: u64) -> Queue {
    let parts = QueueParts { database: database.clone(), clock: Clock::system(), metrics: Metrics::new() };
    Queue::new(parts, QueueOptions { broker: broker.clone(), poll_ms, ..QueueOptions::default() }).unwrap()
}

async fn add(queue: &Queue) -> uuid::Uuid {
    let mut tx = queue.database().transaction(&call()).await.unwrap();
    let job = queue.enqueue(&mut tx, Job::new("note", Value::Null)).await.unwrap();
    tx.commit().await.unwrap();
    job.id
}

async fn completes(queue: &Queue, id: uuid::Uuid) {
    let arriving = async {
        while queue.find(&call(), id).await.unwrap().unwrap().state != JobState::Completed {
            let mut changes = queue.watch();
            // Other handles' changes are not told.
            let _ = tokio::time::timeout(Duration::from_millis(10), changes.recv()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), arriving).await.expect("the job is completed");
}

/// Adds jobs until one of them wakes the worker: before the line is open, wake-ups are lost.
async fn woken(queue: &Queue) {
    let waking = async {
        loop {
            let id = add(queue).await;
            let soon = tokio::time::timeout(Duration::from_millis(500), completes(queue, id));
            if soon.await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waking).await.expect("the broker carries a wake-up");
}

fn notes() -> Registry {
    let mut registry = Registry::default();
    registry.add(JobKind::new("note", async |_, _| Ok(Value::Null))).unwrap();
    registry
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_with_rabbitmq_keeps_every_promise() {
    let fresh = async || TestDatabase::postgres().await.open().await;
    exercise_carried(fresh, broker(RabbitMq::shared())).await;
}

/// One server for both: starting it is what takes time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_crashes_and_comes_back_loses_nothing() {
    let server = RabbitMq::start();
    a_worker_elsewhere_is_woken_over_the_broker_and_jobs_flow_without_it(&server).await;
    events_reach_the_exchange_in_order_also_past_a_crash_of_the_broker(&server).await;
}

/// On a file, with a worker that would look once a minute: only the broker can have woken it.
async fn a_worker_elsewhere_is_woken_over_the_broker_and_jobs_flow_without_it(server: &RabbitMq) {
    let test = TestDatabase::sqlite();
    let (database, options) = (test.open().await, broker(server));
    database.migrate(&[MIGRATIONS]).await.unwrap();
    let (here, elsewhere) = (open(&database, &options, 60_000), open(&database, &options, 60_000));
    let patient = Worker::start(&elsewhere, notes());
    woken(&here).await;
    for _ in 0..5 {
        completes(&here, add(&here).await).await;
    }
    server.kill();
    // Slower, and nothing is lost: here is one that looks more often.
    let looking = open(&database, &BrokerOptions::default(), 100);
    let worker = Worker::start(&looking, notes());
    for _ in 0..5 {
        completes(&here, add(&here).await).await;
    }
    worker.stop(Duration::from_secs(5)).await;
    server.resurrect();
    woken(&here).await;
    patient.stop(Duration::from_secs(5)).await;
}

async fn events_reach_the_exchange_in_order_also_past_a_crash_of_the_broker(server: &RabbitMq) {
    const EVENTS: i64 = 60;
    let test = TestDatabase::sqlite();
    let (database, options) = (test.open().await, broker(server));
    database.migrate(&[MIGRATIONS]).await.unwrap();
    let queue = open(&database, &BrokerOptions::default(), 100);
    let outbox = Outbox::new(&queue, "trees");
    let inbox = format!("{}.inbox", options.namespace);
    let publish = async |version: i64| {
        let mut tx = database.transaction(&call()).await.unwrap();
        let event = outbox.event("grown", "oak", version, json!({"height": version}));
        outbox.publish(&mut tx, &event).await.unwrap();
        tx.commit().await.unwrap();
    };
    let relay = Relay::start(&outbox, vec![Subscriber::rabbitmq(&options).unwrap()]).await.unwrap();
    publish(0).await;
    delivered(&outbox).await;
    // The exchange is there since the first event: whoever binds a queue gets what follows.
    let connection = Connection::connect(&server.amqp_url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(inbox.as_str().into(), durable, FieldTable::default()).await.unwrap();
    let (exchange, bind) = (format!("{}.events", options.namespace), QueueBindOptions::default());
    channel
        .queue_bind(inbox.as_str().into(), exchange.into(), "trees.*".into(), bind, FieldTable::default())
        .await
        .unwrap();
    for version in 1..=EVENTS {
        if version == EVENTS / 2 {
            server.kill();
        }
        publish(version).await;
    }
    server.resurrect();
    delivered(&outbox).await;
    let versions = read_all(server, &inbox, EVENTS).await;
    let mut seen = BTreeSet::new();
    // Repeats are allowed; what is new comes in order.
    let fresh: Vec<i64> = versions.into_iter().filter(|version| seen.insert(*version)).collect();
    assert_eq!(fresh, (1..=EVENTS).collect::<Vec<_>>());
    relay.stop().await;
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

async fn read_all(server: &RabbitMq, inbox: &str, until: i64) -> Vec<i64> {
    let connection = Connection::connect(&server.amqp_url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let options = BasicConsumeOptions::default();
    let mut consumer =
        channel.basic_consume(inbox.into(), "".into(), options, FieldTable::default()).await.unwrap();
    let mut versions = Vec::new();
    while versions.last() != Some(&until) {
        let next = tokio::time::timeout(Duration::from_secs(20), consumer.next()).await;
        let delivery = next.expect("an event comes").unwrap().unwrap();
        let event: Value = serde_json::from_slice(&delivery.data).unwrap();
        assert_eq!(delivery.routing_key.as_str(), "trees.grown");
        versions.push(event["version"].as_i64().unwrap());
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    versions
}
