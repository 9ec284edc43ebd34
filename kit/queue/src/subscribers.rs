//! Durable subscribers as operators see them: the position of each, and the events that are kept for it.

use std::collections::HashMap;

use pando_clock::Timestamp;
use pando_resilience::Call;
use serde::Serialize;

use crate::broker::SUBSCRIBER as BROKER;
use crate::store::subscribers as store;
use crate::{Outbox, QueueError, SubscriberLag};

/// How a durable subscriber stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriberStatus {
    /// Its name.
    pub subscriber: String,
    /// The number of the log that it was given last.
    pub position: i64,
    /// How many events it has not been given.
    pub events: u64,
    /// Since when the first of them waits.
    pub since: Option<Timestamp>,
    /// How many of them every other durable subscriber has: they are kept for this one alone.
    pub kept_alone: u64,
    /// When it last moved.
    pub moved_at: Timestamp,
    /// Whether these settings name it, or a process delivers to it just now.
    pub in_use: bool,
}

impl Outbox {
    /// Every durable subscriber, by name.
    pub async fn subscribers(&self, call: &Call) -> Result<Vec<SubscriberStatus>, QueueError> {
        let read = self.queue.database().read_primary(call);
        let places = store::places(&read, self.queue.clock().now()).await?;
        let lags = self.lag(call).await?.into_iter();
        let lags: HashMap<String, SubscriberLag> = lags.map(|lag| (lag.subscriber.clone(), lag)).collect();
        let behind = |name: &str| lags.get(name).map_or(0, |lag| lag.events);
        let status = |(subscriber, position, moved_at, held): &(String, i64, Timestamp, bool)| {
            let others = places.iter().map(|(name, ..)| name).filter(|name| *name != subscriber);
            let furthest_other = others.map(|name| behind(name)).max().unwrap_or(0);
            SubscriberStatus {
                subscriber: subscriber.clone(),
                position: *position,
                events: behind(subscriber),
                since: lags.get(subscriber).and_then(|lag| lag.since),
                kept_alone: behind(subscriber).saturating_sub(furthest_other),
                moved_at: *moved_at,
                in_use: *held
                    || self.queue.is_used_reader(subscriber)
                    || (subscriber == BROKER && self.queue.options().broker.url.is_some()),
            }
        };
        Ok(places.iter().map(status).collect())
    }
}
