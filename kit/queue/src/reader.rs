//! A reader of the log of events that asks for events itself, and moves its place in the transaction of its own work.

use std::sync::Arc;
use std::time::Duration;

use pando_database::Transaction;
use pando_resilience::Call;

use crate::outbox::BELL;
use crate::relay::BATCH;
use crate::store::{outbox as store, subscribers};
use crate::{Event, Outbox, QueueError, SubscriberStatus};

/// How long to wait while another process gives numbers to events.
const OTHERS_NUMBER: Duration = Duration::from_millis(10);

/// A durable reader of all events. No relay delivers to it, and it needs none.
///
/// Its place is kept among those of the durable subscribers. So events are kept until it has read them, and its lag is seen
/// where theirs is. Several processes may read with one name at the same time: each gets the same events, and only one of
/// them can [`advance`](Self::advance) the place from where it began.
#[derive(Clone, Debug)]
pub struct EventReader {
    outbox: Outbox,
    name: Arc<str>,
}

impl Outbox {
    /// The reader of this name.
    pub fn reader(&self, name: &str) -> EventReader {
        EventReader { outbox: self.clone(), name: name.into() }
    }
}

impl EventReader {
    /// The number of the last event that it has done with. A reader that has no place gets one before the first event that
    /// is still kept.
    pub async fn enter(&self, call: &Call) -> Result<i64, QueueError> {
        let queue = &self.outbox.queue;
        loop {
            let read = queue.database().read_primary(call);
            let places = store::places(&read, vec![self.name.to_string()]).await?;
            if let Some((_, number)) = places.first() {
                return Ok(*number);
            }
            let mut tx = queue.database().transaction(call).await?;
            subscribers::enter(&mut tx, &self.name, queue.clock().now()).await?;
            tx.commit().await?;
        }
    }

    /// The events after a number of the log, in order, each with its number. Fewer than `count` are all that were committed
    /// before this call. Events that share a row come together, also where they are more than `count`.
    pub async fn read_after(
        &self,
        call: &Call,
        number: i64,
        count: usize,
    ) -> Result<Vec<(i64, Event)>, QueueError> {
        let events = self.outbox.read_after(call, number, count).await?;
        if events.len() >= count {
            return Ok(events);
        }
        self.number_all(call).await?;
        // Also where this process gave no numbers: another one may have done so since.
        self.outbox.read_after(call, number, count).await
    }

    /// Moves its place in the transaction. False if the place is not at `from`, because another process or an operator moved
    /// it: then the transaction must not be committed.
    pub async fn advance(&self, tx: &mut Transaction, from: i64, to: i64) -> Result<bool, QueueError> {
        Ok(subscribers::advance(tx, &self.name, (from, to), self.outbox.queue.clock().now()).await?)
    }

    /// How it stands; nothing if it has no place yet.
    pub async fn status(&self, call: &Call) -> Result<Option<SubscriberStatus>, QueueError> {
        let all = self.outbox.subscribers(call).await?;
        Ok(all.into_iter().find(|status| *status.subscriber == *self.name))
    }

    /// Gives numbers to all events that were committed, as a relay does.
    async fn number_all(&self, call: &Call) -> Result<(), QueueError> {
        let queue = &self.outbox.queue;
        loop {
            let (_, has_fresh) = store::state(&queue.database().read_primary(call)).await?;
            if !has_fresh {
                return Ok(());
            }
            let numbered = queue.number_events().await?;
            if numbered > Some(0) {
                queue.wakes().tell(BELL);
            }
            match numbered {
                // Events that are committed from now on are the next call's.
                Some(numbered) if numbered < BATCH as u64 => return Ok(()),
                Some(_) => {}
                None => tokio::time::sleep(OTHERS_NUMBER).await,
            }
        }
    }
}
