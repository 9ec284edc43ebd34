//! Deliveries to one subscriber, in a task of their own, so that a subscriber that hangs does not delay any other.

use std::time::Duration;

use pando_clock::Timestamp;
use pando_resilience::Call;
use tokio::sync::watch;
use uuid::Uuid;

use crate::relay::{BATCH, LogState};
use crate::settle::BUDGET;
use crate::store::outbox as store;
use crate::{Event, Queue, QueueError, Subscriber};

/// How long a process may be silent before another delivers in its place, and how often one that delivers says that it
/// is alive.
const HOLD: Duration = Duration::from_secs(20);
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// The pauses after a failed delivery.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long a delivery may continue after the relay has begun to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A subscriber at work.
pub(crate) struct Post {
    queue: Queue,
    subscriber: Subscriber,
    /// This relay, among those that may deliver to a durable subscriber.
    holder: Uuid,
    /// The last number that was delivered from here.
    number: i64,
    failures: u32,
    /// The last complete look at the log whose events were all delivered from here.
    current: u64,
}

impl Post {
    pub(crate) fn new(queue: Queue, subscriber: Subscriber, holder: Uuid, number: i64) -> Self {
        Self { queue, subscriber, holder, number, failures: 0, current: 0 }
    }

    /// Delivers the log to the subscriber until the relay stops or is dropped.
    pub(crate) async fn keep(mut self, logs: watch::Receiver<LogState>, stopping: watch::Receiver<bool>) {
        let told = stopping.clone();
        tokio::select! {
            () = self.deliver_all(logs, stopping) => {}
            () = out_of_grace(told) => {
                tracing::warn!(subscriber = self.subscriber.name, "a delivery is broken off: its events come again");
            }
        }
        if self.subscriber.durable {
            self.let_go().await;
        }
    }

    async fn deliver_all(
        &mut self,
        mut logs: watch::Receiver<LogState>,
        mut stopping: watch::Receiver<bool>,
    ) {
        // A process that had the place may have died: it is asked for now and then.
        let poll = Duration::from_millis(self.queue.options().poll_ms);
        while !*stopping.borrow() && stopping.has_changed().is_ok() {
            let state = logs.borrow_and_update().clone();
            let (mut more, mut pause) = (false, poll);
            if self.is_behind(&state) {
                match self.deliver_batch().await {
                    Ok(full) => (more, self.failures) = (full, 0),
                    Err(reason) => {
                        tracing::warn!(subscriber = self.subscriber.name, %reason, "events could not be delivered");
                        pause = PAUSES.0.saturating_mul(1 << self.failures.min(10)).min(PAUSES.1);
                        self.failures += 1;
                    }
                }
            }
            if more {
                continue;
            }
            self.say_current(&state);
            let failed = self.failures > 0;
            tokio::select! {
                // After a failure news are no reason to be quicker.
                changed = logs.changed(), if !failed => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    /// Reports that no event is missing that was committed before the last read of the log.
    fn say_current(&mut self, state: &LogState) {
        if self.number >= state.end && state.complete != self.current {
            self.current = state.complete;
            self.subscriber.current.iter().for_each(|current| current());
        }
    }

    /// Whether there may be something for it. One that was forgotten is given nothing.
    fn is_behind(&self, state: &LogState) -> bool {
        let number = match self.subscriber.durable {
            true => state.places.get(&self.subscriber.name).copied().unwrap_or(i64::MAX),
            false => self.number,
        };
        number < state.end
    }

    /// Delivers one batch; whether there may be more.
    async fn deliver_batch(&mut self) -> Result<bool, String> {
        let from = match self.subscriber.durable {
            false => self.number,
            true => match self.hold().await.map_err(|error| error.to_string())? {
                Some(number) => number,
                // Another process delivers.
                None => return Ok(false),
            },
        };
        let call = Call::internal("outbox.deliver", BUDGET);
        let read = self.queue.database().read_primary(&call);
        let events = store::read_after(&read, from, BATCH).await.map_err(|error| error.to_string())?;
        let Some((last, _)) = events.last() else { return Ok(false) };
        let (last, full) = (*last, events.len() >= BATCH);
        let events = events.into_iter().map(|(_, event)| event).collect();
        if !self.deliver(events).await? {
            return Ok(false);
        }
        self.number = last;
        if self.subscriber.durable {
            // This process has lost the subscriber. The process that has it now continues from the stored position, and may deliver
            // this again.
            let moved = self.advance(last).await.map_err(|error| error.to_string())?;
            return Ok(moved && full);
        }
        Ok(full)
    }

    /// Gives events to the subscriber, within its time; false when another process took the place meanwhile.
    async fn deliver(&self, events: Vec<Event>) -> Result<bool, String> {
        let delivering = tokio::time::timeout(self.subscriber.patience, (self.subscriber.deliver)(events));
        tokio::select! {
            delivered = delivering => match delivered {
                Ok(result) => result.map(|()| true),
                Err(_) => Err(format!("it took longer than {:?}", self.subscriber.patience)),
            },
            () = self.lost() => Ok(false),
        }
    }

    /// Comes when the place is not this one's any more, because another process took it or an operator moved it: until
    /// then this one says that it is alive.
    async fn lost(&self) {
        if !self.subscriber.durable {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::debug!(%error, "the hold could not be renewed"),
            }
        }
    }

    /// Keeps the place of the subscriber; false when it is not this one's any more.
    async fn renew(&self) -> Result<bool, QueueError> {
        let call = Call::internal("outbox.renew", BUDGET);
        let mut tx = self.queue.database().transaction(&call).await?;
        let until = self.held_until();
        let held = store::renew(&mut tx, (&self.subscriber.name, self.holder), until).await?;
        tx.commit().await?;
        Ok(held)
    }

    fn held_until(&self) -> Timestamp {
        self.queue.clock().now().plus_micros(i64::try_from(HOLD.as_micros()).unwrap_or(i64::MAX))
    }

    /// Takes the place of the subscriber: where it stands, or nothing when another process has it.
    async fn hold(&self) -> Result<Option<i64>, QueueError> {
        let call = Call::internal("outbox.hold", BUDGET);
        let mut tx = self.queue.database().transaction(&call).await?;
        let now = self.queue.clock().now();
        let until = self.held_until();
        let number = store::hold(&mut tx, &self.subscriber.name, self.holder, now, until).await?;
        tx.commit().await?;
        Ok(number)
    }

    /// Says how far the subscriber has come; false when another process has its place by now.
    async fn advance(&self, number: i64) -> Result<bool, QueueError> {
        let call = Call::internal("outbox.advance", BUDGET);
        let mut tx = self.queue.database().transaction(&call).await?;
        let (now, until) = (self.queue.clock().now(), self.held_until());
        let moved = store::advance(&mut tx, (&self.subscriber.name, self.holder), number, now, until).await?;
        tx.commit().await?;
        Ok(moved)
    }

    async fn let_go(&self) {
        let call = Call::internal("outbox.let_go", BUDGET);
        let letting = async {
            let mut tx = self.queue.database().transaction(&call).await?;
            store::let_go(&mut tx, &self.subscriber.name, self.holder).await?;
            tx.commit().await
        };
        if let Err(error) = letting.await {
            tracing::debug!(%error, "others will deliver when the hold runs out");
        }
    }
}

/// Completes some time after the relay has begun to stop.
async fn out_of_grace(mut stopping: watch::Receiver<bool>) {
    // Dropped with its relay, or told: both end it.
    let _ = stopping.wait_for(|stop| *stop).await;
    tokio::time::sleep(STOP_GRACE).await;
}
