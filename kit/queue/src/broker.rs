//! RabbitMQ beside the table: it carries wake-ups to one worker at a time, and events to whoever binds a queue.
//!
//! The table stays the truth. While the broker is away, wake-ups go over the database's channel, and jobs flow as
//! they do without a broker; events wait in the outbox.

mod carrier;
mod events;

use std::time::Duration;

use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection, ConnectionProperties};
use pando_database::Secret;
use serde::{Deserialize, Serialize};

use crate::QueueError;

pub(crate) use carrier::Carrier;
pub use events::EventExchange;
pub(crate) use events::SUBSCRIBER;

/// How long any single step with the broker may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Settings of the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerOptions {
    /// Where it is: `amqp://user:password@host:5672/%2f`. Without it there is none.
    pub url: Option<Secret>,
    /// What its names begin with: `<namespace>.events`, `<namespace>.jobs.<queue>`.
    pub namespace: String,
    /// How many wake-ups a worker holds unacknowledged.
    pub prefetch: u16,
    /// How many wake-ups of a queue the broker keeps; beyond, the oldest go.
    pub wakeups_max: u32,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self { url: None, namespace: "pando".to_owned(), prefetch: 32, wakeups_max: 1_000 }
    }
}

impl BrokerOptions {
    pub(crate) fn check(&self) -> Result<(), QueueError> {
        let bad = |setting: &str, reason: String| {
            Err(QueueError::BadSetting { setting: format!("broker.{setting}"), reason })
        };
        if let Some(url) = &self.url
            && let Err(reason) = url.expose().parse::<lapin::uri::AMQPUri>()
        {
            // The reason names a part of the address, never the whole.
            return bad("url", reason);
        }
        if !crate::job::is_name(&self.namespace) {
            return bad("namespace", "1 to 100 letters, digits, `_`, `-`, `.` or `:`".to_owned());
        }
        if self.prefetch == 0 {
            return bad("prefetch", "at least 1".to_owned());
        }
        if self.wakeups_max == 0 {
            return bad("wakeups_max", "at least 1".to_owned());
        }
        Ok(())
    }
}

/// Why the broker did not do it: for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    #[error("the broker did not answer in time")]
    Late,
    #[error("the broker refused a message")]
    Refused,
    #[error("the broker closed the line")]
    Closed,
    #[error(transparent)]
    Broker(#[from] lapin::Error),
}

/// A step with the broker, within its time.
async fn step<T, E: Into<BrokerError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, BrokerError> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| BrokerError::Late)?.map_err(Into::into)
}

/// A fresh connection, and a channel on which every message is confirmed.
async fn connect(url: &Secret) -> Result<(Connection, Channel), BrokerError> {
    let properties = ConnectionProperties::default().with_connection_name("pando".into());
    let connection = step(Connection::connect(url.expose(), properties)).await?;
    let channel = step(connection.create_channel()).await?;
    step(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok((connection, channel))
}
