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

/// How many events before the broker crashes, and how many after.
const HALF: i64 = 30;

fn call() -> Call {
    Call::internal("test", Duration::from_secs(30))
}

fn broker(server: &RabbitMq) -> BrokerOptions {
    let namespace = format!("test{}", Clock::system().fresh_id().simple());
    BrokerOptions { url: Some(Secret::new(server.amqp_url())), namespace, ..BrokerOptions::default() }
}

/// What the broker has was made with other settings, as before an upgrade: it refuses to take it for ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_wake_ups_that_cannot_be_used_is_made_anew() {
    let server = RabbitMq::start();
    let options = broker(&server);
    let connection = Connection::connect(&server.amqp_url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let name = format!("{}.jobs.default", options.namespace);
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), durable, FieldTable::default()).await.unwrap();
    Wakes::with(options).await.are_carried().await;
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

/// Adds jobs until some in a row are run at once: while a line is being opened, wake-ups may be lost.
async fn woken(queue: &Queue) {
    let waking = async {
        let mut in_a_row = 0;
        while in_a_row < 5 {
            let id = add(queue).await;
            let soon = tokio::time::timeout(Duration::from_secs(1), completes(queue, id));
            in_a_row = if soon.await.is_ok() { in_a_row + 1 } else { 0 };
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waking).await.expect("the broker carries wake-ups");
}

fn notes() -> Registry {
    let mut registry = Registry::default();
    registry.add(JobKind::new("note", async |_, _| Ok(Value::Null))).unwrap();
    registry
}

/// One server for all of it: starting one is what takes time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_rabbitmq_every_promise_is_kept_also_while_it_is_away() {
    let server = RabbitMq::start();
    let fresh = async || TestDatabase::postgres().await.open().await;
    exercise_carried(fresh, broker(&server)).await;
    let (wakes, events) = (Wakes::begin(&server).await, Events::begin(&server).await);
    wakes.are_carried().await;
    events.publish(1..=HALF).await;
    server.kill();
    wakes.are_not_needed().await;
    events.publish(HALF + 1..=HALF * 2).await;
    server.resurrect();
    wakes.are_carried().await;
    events.arrive_in_order(&server).await;
    wakes.patient.stop(Duration::from_secs(5)).await;
    events.relay.stop().await;
}

/// On a file, with a worker that would look once a minute: only the broker can have woken it.
struct Wakes {
    database: Database,
    here: Queue,
    patient: Worker,
    _test: TestDatabase,
}

impl Wakes {
    async fn begin(server: &RabbitMq) -> Self {
        Self::with(broker(server)).await
    }

    async fn with(options: BrokerOptions) -> Self {
        let test = TestDatabase::sqlite();
        let database = test.open().await;
        database.migrate(&[MIGRATIONS]).await.unwrap();
        let (here, elsewhere) = (open(&database, &options, 60_000), open(&database, &options, 60_000));
        Self { database, here, patient: Worker::start(&elsewhere, notes()), _test: test }
    }

    async fn are_carried(&self) {
        woken(&self.here).await;
    }

    /// Slower, and nothing is lost: here is a worker that looks more often.
    async fn are_not_needed(&self) {
        let looking = open(&self.database, &BrokerOptions::default(), 100);
        let worker = Worker::start(&looking, notes());
        for _ in 0..5 {
            completes(&self.here, add(&self.here).await).await;
        }
        worker.stop(Duration::from_secs(5)).await;
    }
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
        let test = TestDatabase::sqlite();
        let (database, options) = (test.open().await, broker(server));
        database.migrate(&[MIGRATIONS]).await.unwrap();
        let queue = open(&database, &BrokerOptions::default(), 100);
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

    async fn publish(&self, versions: std::ops::RangeInclusive<i64>) {
        for version in versions {
            let mut tx = self.database.transaction(&call()).await.unwrap();
            let event = self.outbox.event("grown", "oak", version, json!({"height": version}));
            self.outbox.publish(&mut tx, &event).unwrap();
            tx.commit().await.unwrap();
        }
    }

    async fn arrive_in_order(&self, server: &RabbitMq) {
        delivered(&self.outbox).await;
        // A broker that is killed may forget a binding that was made a moment before, and with it what it confirmed
        // since: what is bound again is given everything again.
        self.bind(server, self.inbox.strip_suffix(".inbox").unwrap()).await;
        self.outbox.replay_after(&call(), "rabbitmq", 0).await.unwrap();
        delivered(&self.outbox).await;
        let mut seen = BTreeSet::new();
        // Repeats are allowed; what is new comes in order.
        let versions = read_all(server, &self.inbox, HALF * 2).await;
        let fresh: Vec<i64> =
            versions.into_iter().filter(|version| *version > 0 && seen.insert(*version)).collect();
        assert_eq!(fresh, (1..=HALF * 2).collect::<Vec<_>>());
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
