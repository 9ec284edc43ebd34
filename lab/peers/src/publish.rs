//! Events that are published to RabbitMQ and confirmed one by one: our exchange and the client library that it uses, on
//! one server.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use pando_clock::Clock;
use pando_database::Secret;
use pando_database::testing::TestDatabase;
use pando_queue::{BrokerOptions, Event, EventExchange, Outbox, Queue, QueueOptions, QueueParts};
use pando_servers::RabbitMq;
use pando_telemetry::Metrics;
use serde_json::json;

use crate::report::Report;

/// Published together, and then waited for: as many as the relay gives at once.
const BATCH: usize = 500;
const EXCHANGE: &str = "peers.events";
const KEY: &str = "trees.grown";
const INBOX: &str = "peers.inbox";

pub(crate) async fn run(rounds: usize, seconds: u64, report: &mut Report) -> Result<()> {
    let server = RabbitMq::start();
    let url = Some(Secret::new(server.amqp_url()));
    let options = BrokerOptions { url, namespace: "peers".to_owned(), ..BrokerOptions::default() };
    let Some(exchange) = EventExchange::new(&options) else { anyhow::bail!("no broker is set") };
    let events = events().await?;
    // The exchange is there since the first event.
    exchange.publish(&events[..1]).await.map_err(anyhow::Error::msg)?;
    let connection = Connection::connect(&server.amqp_url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(INBOX.into(), durable, FieldTable::default()).await?;
    let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(INBOX.into(), EXCHANGE.into(), "trees.*".into(), bind, none).await?;
    let (time, mut rates, mut limits) = (Duration::from_secs(seconds), Vec::new(), Vec::new());
    for round in 0..rounds {
        eprintln!("  round {} of {rounds}", round + 1);
        for first in [round % 2 == 0, round % 2 == 1] {
            let (begun, mut published) = (Instant::now(), 0);
            while begun.elapsed() < time {
                match first {
                    true => exchange.publish(&events).await.map_err(anyhow::Error::msg)?,
                    false => bare(&channel, &events).await?,
                }
                published += events.len();
            }
            let rate = crate::count(published) / begun.elapsed().as_secs_f64();
            if first {
                rates.push(rate)
            } else {
                limits.push(rate)
            }
            channel.queue_purge(INBOX.into(), QueuePurgeOptions::default()).await?;
        }
    }
    report.compare(
        "events published and confirmed: ours / the bare client",
        &rates,
        &limits,
        "events/s",
        None,
    );
    Ok(())
}

/// Events with some data, as services write them.
async fn events() -> Result<Vec<Event>> {
    let test = TestDatabase::sqlite();
    let parts = QueueParts { database: test.open().await, clock: Clock::system(), metrics: Metrics::new() };
    let outbox = Outbox::new(&Queue::new(parts, QueueOptions::default())?, "trees");
    let data = |number| json!({"height": number, "species": "Quercus robur", "note": "x".repeat(200)});
    Ok((0..).take(BATCH).map(|number| outbox.event("grown", number, number, data(number))).collect())
}

/// The same bytes and properties, and nothing else.
async fn bare(channel: &Channel, events: &[Event]) -> Result<()> {
    let mut confirmations = Vec::with_capacity(events.len());
    for event in events {
        let body = serde_json::to_vec(event)?;
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(event.id.to_string().into())
            .with_type(event.kind.as_str().into())
            .with_app_id(event.service.as_str().into());
        let options = BasicPublishOptions::default();
        let published = channel.basic_publish(EXCHANGE.into(), KEY.into(), options, &body, properties);
        confirmations.push(published.await?);
    }
    for confirmation in confirmations {
        ensure!(confirmation.await?.is_ack(), "the broker refused an event");
    }
    Ok(())
}
