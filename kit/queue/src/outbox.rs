//! Events: published in the transaction that causes them, and read in order by every subscriber.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pando_clock::Timestamp;
use pando_database::Transaction;
use pando_resilience::{Call, Tenant};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::job::is_name;
use crate::store::outbox as store;
use crate::{Act, Queue, QueueError};

/// The bell of the relay: no queue can have this name.
pub(crate) const BELL: &str = "/outbox";

/// How many events share a row at most.
const PACK_MAX: usize = 500;
/// How often old events are swept.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Something that happened. Consumers tell repeats by `id`, and old news by `version`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its own id: the same however often it is delivered.
    pub id: Uuid,
    /// The tenant whose data the event is about.
    #[serde(skip_serializing_if = "Tenant::is_default")]
    pub tenant: Tenant,
    /// Which service says so.
    pub service: String,
    /// The type of the event, such as `profile_created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The thing to which the event happened. Events of one subject are delivered in order.
    pub subject: String,
    /// The version the subject has since.
    pub version: i64,
    /// The data of the event.
    pub data: Value,
    /// The trace of the request that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// When it was published.
    pub timestamp: Timestamp,
    /// Which process published it.
    #[serde(skip)]
    pub(crate) origin: Option<Uuid>,
}

/// How far behind a subscriber is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriberLag {
    /// Its name.
    pub subscriber: String,
    /// How many events it has not been given.
    pub events: u64,
    /// Since when the first of them waits.
    pub since: Option<Timestamp>,
}

/// Where events are published. Cloning shares it.
#[derive(Clone)]
pub struct Outbox {
    pub(crate) queue: Queue,
    service: Arc<str>,
}

impl Outbox {
    /// The outbox of a service, in the database of the queue.
    pub fn new(queue: &Queue, service: &str) -> Self {
        Self { queue: queue.clone(), service: service.into() }
    }

    /// An event of this service, with a fresh id; about the data of the default tenant, unless it is given another.
    pub fn event(&self, kind: &str, subject: impl fmt::Display, version: i64, data: Value) -> Event {
        Event {
            id: self.queue.clock().fresh_id(),
            tenant: Tenant::default(),
            service: self.service.as_ref().to_owned(),
            kind: kind.to_owned(),
            subject: subject.to_string(),
            version,
            data,
            trace: None,
            timestamp: self.queue.clock().now(),
            origin: Some(self.queue.origin()),
        }
    }

    /// Whether this process published it: then what it keeps in memory is up to it already.
    pub fn is_own(&self, event: &Event) -> bool {
        event.origin == Some(self.queue.origin())
    }

    /// Adds an event to the transaction: it is delivered if and only if the transaction is committed.
    ///
    /// The transaction must hold the lock of the subject's row, as one that changed the row does. That is what
    /// keeps the order: a second writer of the subject gets its position only after the first one has committed, so
    /// the positions of a subject's events follow their commits, and whoever sees the second event sees the first.
    /// Between subjects there is no order to keep, and none is promised.
    pub fn publish(&self, tx: &mut Transaction, event: &Event) -> Result<(), QueueError> {
        self.publish_all(tx, std::slice::from_ref(event))
    }

    /// Adds many events, in their order, as [`publish`](Self::publish) does one. Hundreds share a row, so that they
    /// cost little beside what caused them; such neighbours have the timestamp of the first one.
    pub fn publish_all(&self, tx: &mut Transaction, events: &[Event]) -> Result<(), QueueError> {
        if events.is_empty() {
            return Ok(());
        }
        if !events.iter().all(|event| is_name(&event.kind)) {
            return Err(QueueError::bad_job("type", "1 to 100 letters, digits, `_`, `-`, `.` or `:`"));
        }
        // Fields that a row holds once must be the same for all events that share it.
        let alike = |one: &Event, other: &Event| {
            (&one.tenant, &one.service, &one.trace, &one.origin)
                == (&other.tenant, &other.service, &other.trace, &other.origin)
        };
        for alike in events.chunk_by(alike) {
            for pack in alike.chunks(PACK_MAX) {
                store::insert(tx, pack);
            }
        }
        let queue = self.queue.clone();
        tx.after_commit(move || queue.wakes().enqueued(BELL, 0, 0));
        Ok(())
    }

    /// The events after a number of the log, in order, each with its number. Those that share a row share its number,
    /// and come together, also where they are more than `count`.
    pub async fn read_after(
        &self,
        call: &Call,
        number: i64,
        count: usize,
    ) -> Result<Vec<(i64, Event)>, QueueError> {
        Ok(store::read_after(&self.queue.database().read_primary(call), number, count).await?)
    }

    /// The number of the last event that has one.
    pub async fn end(&self, call: &Call) -> Result<i64, QueueError> {
        Ok(store::state(&self.queue.database().read_primary(call)).await?.0)
    }

    /// Delivers to a subscriber again what came after a number of the log.
    pub async fn replay_after(&self, call: &Call, subscriber: &str, number: i64) -> Result<(), QueueError> {
        let mut tx = self.queue.database().transaction(call).await?;
        if !store::replay(&mut tx, subscriber, number, self.queue.clock().now()).await? {
            return Err(QueueError::NotFound);
        }
        let queue = self.queue.clone();
        tx.after_commit(move || queue.wakes().enqueued(BELL, 0, 0));
        tx.commit().await?;
        Ok(())
    }

    /// Delivers to a subscriber again what was published at or after a moment.
    pub async fn replay_since(
        &self,
        call: &Call,
        subscriber: &str,
        moment: Timestamp,
    ) -> Result<(), QueueError> {
        let number = store::number_before(&self.queue.database().read_primary(call), moment).await?;
        self.replay_after(call, subscriber, number).await
    }

    /// Gives up the place of a durable subscriber that will not come back: events are kept for it until then.
    pub async fn forget(&self, call: &Call, subscriber: &str) -> Result<(), QueueError> {
        let mut tx = self.queue.database().transaction(call).await?;
        if !store::forget(&mut tx, subscriber).await? {
            return Err(QueueError::NotFound);
        }
        let (action, resource) = ("subscriber_forgotten", "subscriber");
        let act = Act { action, resource, resource_id: subscriber, details: json!({}) };
        self.queue.record(&mut tx, call, &act);
        tx.commit().await?;
        Ok(())
    }

    /// How far behind each durable subscriber is.
    pub async fn lag(&self, call: &Call) -> Result<Vec<SubscriberLag>, QueueError> {
        let lags = store::lag(&self.queue.database().read_primary(call)).await?;
        let lag = |(subscriber, events, since): (String, i64, _)| SubscriberLag {
            subscriber,
            events: events.unsigned_abs(),
            since,
        };
        Ok(lags.into_iter().map(lag).collect())
    }

    /// Deletes events older than `before` that every durable subscriber got, and, if there is no durable subscriber, events that
    /// never got a number. Returns the number of rows.
    pub async fn sweep(&self, before: Timestamp) -> Result<u64, QueueError> {
        let batch = self.queue.options().sweep_batch_max;
        let mut swept = 0;
        loop {
            let call = Call::internal("outbox.sweep", crate::settle::BUDGET);
            let mut tx = self.queue.database().transaction(&call).await?;
            let count = store::sweep(&mut tx, before, batch).await?;
            let unread = store::sweep_unread(&mut tx, before, batch).await?;
            tx.commit().await?;
            swept += count + unread;
            if count.max(unread) < u64::try_from(batch).unwrap_or(u64::MAX) {
                return Ok(swept);
            }
        }
    }

    /// Sweeps now and then, until the queue is dropped: for where no relay runs, which does so too.
    pub fn keep_swept(&self) {
        let (weak, service) = (self.queue.downgrade(), Arc::clone(&self.service));
        pando_telemetry::spawn("outbox.sweeper", async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(queue) = weak.upgrade() else { return };
                Self { queue, service: Arc::clone(&service) }.sweep_old().await;
            }
        });
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("service", &self.service).finish_non_exhaustive()
    }
}
