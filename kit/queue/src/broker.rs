//! RabbitMQ: publishes committed events to a topic exchange. Jobs never go through RabbitMQ.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use pando_database::Secret;
use pando_tls::{Tls, TlsError, Verify, certificate_fault};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{Event, QueueError, Subscriber, encrypted_broker};

/// How long any single step with the broker may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The name of the broker among the subscribers.
pub(crate) const SUBSCRIBER: &str = "rabbitmq";
/// Stays on the broker's disk.
const PERSISTENT: u8 = 2;

/// Settings of the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerOptions {
    /// The address: `amqp://user:password@host:5672/%2f`, or `amqps://…` for TLS. Without it no broker is used.
    pub url: Option<Secret>,
    /// The authorities that are trusted over TLS. The program sets them, no settings file.
    #[serde(skip)]
    pub tls: Tls,
    /// The beginning of the name of the exchange: `<namespace>.events`.
    pub namespace: String,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self { url: None, tls: Tls::default(), namespace: "pando".to_owned() }
    }
}

impl BrokerOptions {
    pub(crate) fn check(&self) -> Result<(), QueueError> {
        let bad = |setting: &str, reason: String| {
            Err(QueueError::BadSetting { setting: format!("broker.{setting}"), reason })
        };
        if let Some(url) = &self.url
            && url.expose().parse::<AMQPUri>().is_err()
        {
            // The reason of the parser may quote the password.
            return bad("url", "must look like amqp://user:password@host:5672/%2f".to_owned());
        }
        if !crate::job::is_name(&self.namespace) {
            return bad("namespace", "1 to 100 letters, digits, `_`, `-`, `.` or `:`".to_owned());
        }
        Ok(())
    }
}

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
    tls: Tls,
    name: String,
    /// The line that is open, if one is.
    line: Mutex<Option<(Connection, Channel)>>,
}

impl EventExchange {
    /// The exchange of the broker that is set, if one is. Nothing is connected yet.
    pub fn new(options: &BrokerOptions) -> Option<Self> {
        let (url, tls) = (options.url.clone()?, options.tls.clone());
        Some(Self { url, tls, name: format!("{}.events", options.namespace), line: Mutex::default() })
    }

    /// Publishes all of them in order, and waits until the broker has confirmed them all. After an error, which says
    /// why, some of them may have been taken; the line is opened afresh by the next call.
    pub async fn publish(&self, events: &[Event]) -> Result<(), String> {
        publish(self, events).await.map_err(|error| match certificate_fault(&error) {
            Some(reason) => format!("no encrypted connection to the broker: {reason}"),
            None => error.to_string(),
        })
    }
}

impl fmt::Debug for EventExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventExchange").field("name", &self.name).finish_non_exhaustive()
    }
}

async fn publish(exchange: &EventExchange, events: &[Event]) -> Result<(), BrokerError> {
    let EventExchange { url, tls, name: exchange, line } = exchange;
    let (exchange, mut line) = (exchange.as_str(), line.lock().await);
    let (connection, channel) = match line.take() {
        Some(open) if open.0.status().connected() && open.1.status().connected() => open,
        _ => {
            let (connection, channel) = connect(url, tls).await?;
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

/// Why the broker did not do it: for the log.
#[derive(Debug, thiserror::Error)]
enum BrokerError {
    #[error("its address cannot be read")]
    Address,
    #[error("the broker did not answer in time")]
    Late,
    #[error("the broker refused a message")]
    Refused,
    #[error(transparent)]
    Broker(#[from] lapin::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A step with the broker, within its time.
async fn step<T, E: Into<BrokerError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, BrokerError> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| BrokerError::Late)?.map_err(Into::into)
}

/// A fresh connection, and a channel on which every message is confirmed.
async fn connect(url: &Secret, tls: &Tls) -> Result<(Connection, Channel), BrokerError> {
    let properties = ConnectionProperties::default().with_connection_name("pando".into());
    // The reason of the parser may quote the password.
    let uri = url.expose().parse::<AMQPUri>().map_err(|_| BrokerError::Address)?;
    let connection = match uri.scheme {
        AMQPScheme::AMQPS => {
            let config = tls.client_config(Verify::Full)?;
            step(encrypted_broker::connect(uri, properties, config)).await?
        }
        AMQPScheme::AMQP => step(Connection::connect(url.expose(), properties)).await?,
    };
    let channel = step(connection.create_channel()).await?;
    step(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok((connection, channel))
}
