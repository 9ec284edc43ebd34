//! Events to a topic exchange.

use std::fmt;
use std::sync::Arc;

use lapin::options::{BasicPublishOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use pando_database::Secret;
use tokio::sync::Mutex;

use super::{BrokerError, BrokerOptions, connect, step};
use crate::{Event, Subscriber};

/// What the broker is called among the subscribers.
pub(crate) const SUBSCRIBER: &str = "rabbitmq";
/// Stays on the broker's disk.
const PERSISTENT: u8 = 2;

impl Subscriber {
    /// An [`EventExchange`] that is given every event.
    pub fn rabbitmq(options: &BrokerOptions) -> Option<Self> {
        let exchange = Arc::new(EventExchange::new(options)?);
        Some(Self::durable(SUBSCRIBER, move |events| {
            let exchange = Arc::clone(&exchange);
            async move { exchange.publish(&events).await }
        }))
    }
}

/// The topic exchange `<namespace>.events` of a broker, with `<service>.<type>` as the routing key. An event that no
/// queue is bound for is dropped there.
pub struct EventExchange {
    url: Secret,
    name: String,
    /// The line that is open, if one is.
    line: Mutex<Option<(Connection, Channel)>>,
}

impl EventExchange {
    /// The exchange of the broker that is set, if one is. Nothing is connected yet.
    pub fn new(options: &BrokerOptions) -> Option<Self> {
        let url = options.url.clone()?;
        Some(Self { url, name: format!("{}.events", options.namespace), line: Mutex::default() })
    }

    /// Publishes all of them in order, and waits until the broker has confirmed them all. After an error, which says
    /// why, some of them may have been taken; the line is opened afresh by the next call.
    pub async fn publish(&self, events: &[Event]) -> Result<(), String> {
        publish(&self.url, &self.name, &self.line, events).await.map_err(|error| error.to_string())
    }
}

impl fmt::Debug for EventExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventExchange").field("name", &self.name).finish_non_exhaustive()
    }
}

async fn publish(
    url: &Secret,
    exchange: &str,
    line: &Mutex<Option<(Connection, Channel)>>,
    events: &[Event],
) -> Result<(), BrokerError> {
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
