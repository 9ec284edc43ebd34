//! Events of profiles, from the real binary: what they repair, and where they go.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer, ExchangeKind};
use pando_database::testing::TestPostgres;
use pando_servers::{RabbitMq, Redis, until};
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;
use crate::harness::{Running, ask};

const API: &str = "/api/v1/profiles";
const PATIENCE: Duration = Duration::from_secs(60);

/// What is remembered is not forgotten by itself while a test runs.
const LONG: [(&str, &str); 4] = [
    ("PANDO_PROFILES__CACHE__L1_TTL_MS", "3600000"),
    ("PANDO_PROFILES__PAGES__L1_TTL_MS", "3600000"),
    ("PANDO_PROFILES__CACHE__EARLY_REFRESH_BETA", "0"),
    ("PANDO_PROFILES__PAGES__EARLY_REFRESH_BETA", "0"),
];

fn start(place: &Place, more: &[(&str, &str)]) -> Running {
    place.start(&[&LONG, more].concat())
}

fn connect(running: &Running) -> Client {
    Client::connect(running.address).unwrap()
}

fn create(client: &mut Client, name: &str) -> String {
    let body = json!({"name": name, "email": format!("{name}@example.org")});
    let made = client.json("POST", API, &body).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    made.value()["id"].as_str().unwrap().to_owned()
}

/// What a process answers: the profile, the profile with its parts, and the first of the list.
fn bios(running: &Running, id: &str) -> [Value; 3] {
    let mut client = connect(running);
    let alone = client.get(&format!("{API}/{id}")).unwrap().value();
    let full = client.get(&format!("{API}/{id}/full")).unwrap().value();
    let listed = client.get(API).unwrap().value();
    [&alone["profile"]["bio"], &full["profile"]["bio"], &listed[0]["bio"]].map(Clone::clone)
}

#[test]
fn who_missed_the_word_of_a_write_learns_it_from_the_event() {
    for place in Place::both() {
        let redis = Redis::start(&[]);
        let url = redis.url();
        let with_redis = ("REDIS_ADDRESS", url.as_str());
        let no_relay = ("PANDO_QUEUE__RELAY", "false");
        // The writer has no Redis: nobody can hear of what it writes, but by the event.
        let writer = start(&place, &[]);
        let told = start(&place, &[with_redis]);
        let told_by_the_other = start(&place, &[with_redis, no_relay]);
        let untold = start(&place, &[no_relay]);
        for running in [&told, &told_by_the_other] {
            until("redis is connected", PATIENCE, || {
                let health = ask(running.address, "GET", "/health", "").json();
                health["dependencies"]["redis"]["status"] == "healthy"
            });
        }
        let id = create(&mut connect(&writer), "Ada");
        let all = [&writer, &told, &told_by_the_other, &untold];
        for running in all {
            assert_eq!(bios(running, &id), ["", "", ""].map(Value::from), "{}", place.name);
        }
        let path = format!("{API}/{id}");
        let changed = connect(&writer).json("PUT", &path, &json!({"bio": "new"})).unwrap();
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(bios(&writer, &id), ["new"; 3].map(Value::from));
        until("the event arrives", PATIENCE, || bios(&told, &id) == ["new"; 3].map(Value::from));
        // It tells Redis and who listens there; pages are each process's own.
        until("the others hear of it", PATIENCE, || bios(&told_by_the_other, &id)[..2] == ["new", "new"]);
        // Without the relay nothing ends what is remembered: this is what the events are for.
        assert_eq!(bios(&untold, &id), [""; 3].map(Value::from), "{}", place.name);
        let token = changed.header("pando-consistency").unwrap();
        let read = connect(&untold).send("GET", &path, &[("pando-consistency", token)], b"").unwrap();
        assert_eq!(read.value()["profile"]["bio"], "new");
        // A profile that is gone is gone everywhere.
        assert_eq!(connect(&writer).send("DELETE", &path, &[], b"").unwrap().status, 204);
        until("the deletion arrives", PATIENCE, || connect(&told).get(&path).unwrap().status == 404);
    }
}

#[test]
fn the_writer_reads_what_it_wrote_from_memory_after_its_own_event() {
    let place = Place::postgres(TestPostgres::shared());
    let (writer, other) = (start(&place, &[]), start(&place, &[]));
    let mut client = connect(&writer);
    let id = create(&mut client, "Ada");
    let path = format!("{API}/{id}");
    // The other process has read "there is none" of what follows, and the list as it was.
    let later = "0197a8c0-0000-7000-8000-000000000001";
    assert_eq!(connect(&other).get(&format!("{API}/{later}")).unwrap().status, 404);
    let batch = json!([{"id": later, "name": "Later", "email": "later@example.org"}]);
    assert_eq!(client.json("POST", &format!("{API}:batch"), &batch).unwrap().status, 200);
    until("the other process finds it", PATIENCE, || {
        connect(&other).get(&format!("{API}/{later}")).unwrap().status == 200
    });
    // The events of both are behind the writer by then, in the order of the log.
    let read = client.get(&path).unwrap();
    assert_eq!(read.header("x-cache").map(|it| it.starts_with("l1")), Some(true), "{read:?}");
}

/// What a program that listens to profiles has got so far.
struct Inbox {
    runtime: tokio::runtime::Runtime,
    consumer: Consumer,
    _connection: Connection,
}

impl Inbox {
    fn open(server: &RabbitMq, namespace: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (connection, consumer) = runtime.block_on(async {
            let connection =
                Connection::connect(&server.amqp_url(), ConnectionProperties::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let (exchange, inbox) = (format!("{namespace}.events"), format!("{namespace}.inbox"));
            let (exchange, inbox) = (exchange.as_str(), inbox.as_str());
            let none = FieldTable::default;
            channel.exchange_declare(exchange.into(), ExchangeKind::Topic, durable, none()).await.unwrap();
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(inbox.into(), durable, none()).await.unwrap();
            let bind = QueueBindOptions::default();
            channel
                .queue_bind(inbox.into(), exchange.into(), "profiles.*".into(), bind, none())
                .await
                .unwrap();
            let options = BasicConsumeOptions::default();
            let consumer = channel.basic_consume(inbox.into(), "".into(), options, none()).await.unwrap();
            (connection, consumer)
        });
        Self { runtime, consumer, _connection: connection }
    }

    /// The next event that did not come before, with its routing key.
    fn next(&mut self, seen: &mut Vec<Value>) -> (String, Value) {
        let Self { runtime, consumer, .. } = self;
        runtime.block_on(async {
            loop {
                let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await;
                let delivery = delivery.expect("an event comes").unwrap().unwrap();
                delivery.ack(BasicAckOptions::default()).await.unwrap();
                let event: Value = serde_json::from_slice(&delivery.data).unwrap();
                if !seen.contains(&event["id"]) {
                    seen.push(event["id"].clone());
                    return (delivery.routing_key.as_str().to_owned(), event);
                }
            }
        })
    }
}

#[test]
fn events_reach_rabbitmq_in_order_also_those_written_while_it_was_silent() {
    const HALF: i64 = 5;
    let server = RabbitMq::start();
    for (place, namespace) in Place::both().into_iter().zip(["one", "two"]) {
        let mut inbox = Inbox::open(&server, namespace);
        let url = server.amqp_url();
        let broker = [("QUEUE_URI", url.as_str()), ("PANDO_QUEUE__BROKER__NAMESPACE", namespace)];
        let running = start(&place, &broker);
        let mut client = connect(&running);
        let id = create(&mut client, "Ada");
        let mut write = |bio: i64| {
            let changed =
                client.json("PUT", &format!("{API}/{id}"), &json!({"bio": bio.to_string()})).unwrap();
            assert_eq!(changed.status, 200, "{changed:?}");
        };
        (2..=HALF).for_each(&mut write);
        let mut seen = Vec::new();
        let (key, first) = inbox.next(&mut seen);
        assert_eq!((key.as_str(), &first["type"]), ("profiles.profile_created", &json!("profile_created")));
        assert_eq!((&first["subject"], &first["version"]), (&json!(id), &json!(1)));
        assert!(first["trace"].is_string() && first["timestamp"].is_string(), "{first}");
        server.pause();
        (HALF + 1..=2 * HALF).for_each(&mut write);
        server.resume();
        for version in 2..=2 * HALF {
            let (key, event) = inbox.next(&mut seen);
            assert_eq!((key.as_str(), &event["version"]), ("profiles.profile_updated", &json!(version)));
            assert_eq!((&event["data"], &event["subject"]), (&json!({"changed": ["bio"]}), &json!(id)));
        }
    }
}
