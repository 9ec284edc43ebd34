//! The settings of queues.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::admission::Amount;
use crate::job::{DEFAULT_QUEUE, is_name};
use crate::{BrokerOptions, QueueError, Registry};

/// Settings of all queues of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueOptions {
    /// How many jobs of one queue a process runs at once.
    pub concurrency: usize,
    /// How many jobs are claimed, and settled, in one transaction at most.
    pub batch_max: usize,
    /// How many jobs may wait in a queue; beyond, enqueueing is an error.
    pub depth_max: u64,
    /// How many bytes the jobs that wait in a queue may have.
    pub bytes_max: u64,
    /// How often a worker looks for work when nothing woke it.
    pub poll_ms: u64,
    /// How often a worker says that it is alive.
    pub heartbeat_ms: u64,
    /// How long a job belongs to a worker that says nothing.
    pub lease_ms: u64,
    /// How often the jobs of dead workers are looked for.
    pub rescue_ms: u64,
    /// At most one wake-up of other processes per queue in this time.
    pub notify_ms: u64,
    /// How long completed and cancelled jobs are kept.
    pub done_hours: u64,
    /// How long dead jobs are kept.
    pub dead_days: u64,
    /// How many dead jobs of a queue are kept; the oldest go first.
    pub dead_max: u64,
    /// How long events are kept that every subscriber was given.
    pub events_days: u64,
    /// Whether this process delivers events to its subscribers.
    pub relay: bool,
    /// At most one round of deliveries in this time: what is committed meanwhile shares it.
    pub relay_ms: u64,
    /// How many rows the sweeper deletes in one transaction.
    pub sweep_batch_max: usize,
    /// RabbitMQ, to carry wake-ups and events.
    pub broker: BrokerOptions,
    /// Which queue the jobs of a kind wait in, where they name none. Each queue has workers of its own, so jobs that
    /// are slow or hang keep only their like waiting.
    pub kinds: BTreeMap<String, String>,
    /// Options of single queues, by name.
    pub queues: BTreeMap<String, SingleQueueOptions>,
}

/// Options of one queue, where they differ from the common ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SingleQueueOptions {
    /// How many jobs a process runs at once.
    pub concurrency: Option<usize>,
    /// How many jobs run at once over all processes.
    pub concurrency_total: Option<usize>,
    /// How many jobs may wait in it.
    pub depth_max: Option<u64>,
    /// How many bytes they may have.
    pub bytes_max: Option<u64>,
    /// Whether tenants take turns.
    pub fair: bool,
    /// How many jobs of one rate key may start in a second.
    pub rate_per_second: Option<f64>,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            concurrency: 16,
            batch_max: 500,
            depth_max: 1_000_000,
            bytes_max: 1 << 30,
            poll_ms: 1_000,
            heartbeat_ms: 10_000,
            lease_ms: 25_000,
            rescue_ms: 2_000,
            notify_ms: 5,
            done_hours: 24,
            dead_days: 30,
            dead_max: 100_000,
            events_days: 7,
            relay: true,
            relay_ms: 20,
            sweep_batch_max: 1_000,
            broker: BrokerOptions::default(),
            kinds: BTreeMap::new(),
            queues: BTreeMap::new(),
        }
    }
}

impl QueueOptions {
    /// Whether queues can work with these.
    pub fn check(&self) -> Result<(), QueueError> {
        let bad = |setting: &str, reason: String| {
            Err(QueueError::BadSetting { setting: setting.to_owned(), reason })
        };
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        for (setting, value, range) in [
            ("concurrency", number(self.concurrency), 1..=10_000),
            ("batch_max", number(self.batch_max), 1..=10_000),
            ("depth_max", self.depth_max, 1..=1_000_000_000),
            ("bytes_max", self.bytes_max, 1..=1 << 50),
            ("poll_ms", self.poll_ms, 10..=60_000),
            ("heartbeat_ms", self.heartbeat_ms, 50..=60_000),
            ("lease_ms", self.lease_ms, 100..=600_000),
            ("rescue_ms", self.rescue_ms, 50..=60_000),
            ("notify_ms", self.notify_ms, 1..=10_000),
            ("done_hours", self.done_hours, 0..=87_600),
            ("dead_days", self.dead_days, 0..=3_650),
            ("events_days", self.events_days, 0..=3_650),
            ("relay_ms", self.relay_ms, 1..=10_000),
            ("dead_max", self.dead_max, 0..=1_000_000_000),
            ("sweep_batch_max", number(self.sweep_batch_max), 1..=100_000),
        ] {
            if !range.contains(&value) {
                return bad(setting, format!("{value} is not within {} and {}", range.start(), range.end()));
            }
        }
        if self.lease_ms < self.heartbeat_ms * 2 {
            return bad("lease_ms", "it must be at least twice heartbeat_ms".to_owned());
        }
        self.broker.check()?;
        if let Some((kind, queue)) = self.kinds.iter().find(|(_, queue)| !is_name(queue)) {
            return bad(&format!("kinds.{kind}"), format!("{queue} is no name of a queue"));
        }
        for (name, queue) in &self.queues {
            let setting = |option: &str| format!("queues.{name}.{option}");
            if queue.concurrency == Some(0) {
                return bad(&setting("concurrency"), "0 is not within 1 and 10000".to_owned());
            }
            if queue.concurrency_total == Some(0) {
                return bad(&setting("concurrency_total"), "pause the queue instead".to_owned());
            }
            if queue.rate_per_second.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
                return bad(&setting("rate_per_second"), "it must be more than nothing".to_owned());
            }
        }
        Ok(())
    }

    pub(crate) fn single(&self, queue: &str) -> SingleQueueOptions {
        self.queues.get(queue).cloned().unwrap_or_default()
    }

    /// The queue that a job of this kind waits in.
    pub(crate) fn queue_of(&self, kind: &str, named: &str) -> String {
        let own = self.kinds.get(kind).filter(|_| named == DEFAULT_QUEUE);
        own.map_or(named, String::as_str).to_owned()
    }

    /// The queues that are served where these kinds are run.
    pub(crate) fn queues_of(&self, registry: &Registry) -> Vec<String> {
        let kinds = registry.names().filter_map(|kind| self.kinds.get(kind));
        // Jobs that were enqueued before their kind got its own queue stay in the old queue.
        let names: BTreeSet<String> =
            kinds.chain(self.queues.keys()).cloned().chain(registry.queues()).collect();
        names.into_iter().collect()
    }

    pub(crate) fn concurrency_of(&self, queue: &str) -> usize {
        self.queues.get(queue).and_then(|queue| queue.concurrency).unwrap_or(self.concurrency)
    }

    /// How much may wait in a queue.
    pub(crate) fn waiting_max_of(&self, queue: &str) -> Amount {
        let single = self.queues.get(queue);
        Amount {
            jobs: single.and_then(|queue| queue.depth_max).unwrap_or(self.depth_max),
            bytes: single.and_then(|queue| queue.bytes_max).unwrap_or(self.bytes_max),
        }
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        assert!(QueueOptions::default().check().is_ok());
        let single = |queue| QueueOptions {
            queues: BTreeMap::from([("mail".to_owned(), queue)]),
            ..QueueOptions::default()
        };
        for (options, expected) in [
            (QueueOptions { concurrency: 0, ..QueueOptions::default() }, "queue setting concurrency: "),
            (QueueOptions { lease_ms: 15_000, ..QueueOptions::default() }, "queue setting lease_ms: "),
            (
                single(SingleQueueOptions { concurrency_total: Some(0), ..SingleQueueOptions::default() }),
                "queue setting queues.mail.concurrency_total: ",
            ),
            (
                single(SingleQueueOptions { rate_per_second: Some(0.0), ..SingleQueueOptions::default() }),
                "queue setting queues.mail.rate_per_second: ",
            ),
        ] {
            let error = options.check().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
