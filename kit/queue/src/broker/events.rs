//! Events to a topic exchange.

use std::sync::Arc;

use lapin::options::{BasicPublishOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use pando_database::Secret;
use tokio::sync::Mutex;

use super::{BrokerError, BrokerOptions, connect, step};
use crate::{Event, Subscriber};

/// Stays on the broker's disk.
const PERSISTENT: u8 = 2;

/// The line that is open, if one is.
type Line = Arc<Mutex<Option<(Connection, Channel)>>>;

impl Subscriber {
    /// The topic exchange `<namespace>.events` of a broker, with `<service>.<type>` as the routing key. An event
    /// counts as delivered when the broker has confirmed it; one that no queue is bound for is dropped there.
    pub fn rabbitmq(options: &BrokerOptions) -> Option<Self> {
        let url = options.url.clone()?;
        let exchange = format!("{}.events", options.namespace);
        let line: Line = Arc::default();
        Some(Self::durable("rabbitmq", move |events| {
            let (url, exchange, line) = (url.clone(), exchange.clone(), Arc::clone(&line));
            async move { publish(&url, &exchange, &line, &events).await.map_err(|error| error.to_string()) }
        }))
    }
}

/// Publishes all of them in order, and waits until all are confirmed. After an error the line is opened afresh.
async fn publish(url: &Secret, exchange: &str, line: &Line, events: &[Event]) -> Result<(), BrokerError> {
    let mut line = line.lock().await;
    let (connection, channel) = match line.take() {
        Some(open) if open.0.status().connected() && open.1.status().connected() => open,
        _ => {
            let (connection, channel) = connect(url).await?;
            let declare = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let kind = ExchangeKind::Topic;
            step(channel.exchange_declare(exchange.into(), kind, declare, FieldTable::default())).await?;
            (connection, channel)
        }
    };
    let mut confirmations = Vec::with_capacity(events.len());
    for event in events {
        let body = serde_json::to_vec(event).map_err(|_| BrokerError::Refused)?;
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_message_id(event.id.to_string().into())
            .with_type(event.kind.as_str().into())
            .with_app_id(event.service.as_str().into());
        let key = format!("{}.{}", event.service, event.kind);
        let options = BasicPublishOptions::default();
        let published = channel.basic_publish(exchange.into(), key.into(), options, &body, properties);
        confirmations.push(step(published).await?);
    }
    for confirmation in confirmations {
        if !step(confirmation).await?.is_ack() {
            return Err(BrokerError::Refused);
        }
    }
    *line = Some((connection, channel));
    Ok(())
}
