//! RabbitMQ, if one is set: whether it accepts the events that this program would publish.

use std::time::Duration;

use pando_queue::EventExchange;
use pando_resilience::Deadline;
use pando_telemetry::shown_address;

use super::Finding;
use crate::config::Config;

/// How long the broker may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(10);

/// `None` if no RabbitMQ is set, because jobs and events work without one.
pub(super) async fn examine(config: &Config) -> Option<Finding> {
    let broker = config.broker_options();
    let (url, exchange) = (broker.url.as_ref()?, EventExchange::new(&broker)?);
    let place = shown_address(url.expose());
    // No events: only the line, and the exchange as a server would declare it.
    let reason = match Deadline::after(PATIENCE).bound(exchange.publish(&[])).await {
        Ok(Ok(())) => {
            let detail = format!("{place} accepts events for the exchange {}.events", broker.namespace);
            return Some(Finding::ok("rabbitmq", detail));
        }
        Ok(Err(reason)) => reason,
        Err(late) => late.to_string(),
    };
    let detail = format!("{place}: {reason}; until it works, events wait in the database");
    Some(Finding::warn("rabbitmq", detail, "start it, or correct queue.broker.url"))
}
