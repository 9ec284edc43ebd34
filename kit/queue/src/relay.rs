//! The relay: puts committed events in a log, and delivers the log to each subscriber, in order.
//!
//! Numbers of the log are given after the commit, by one process at a time, to everything that is visible and has
//! none. So a reader that stands at a number has seen everything before it: nothing can turn up behind its back.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use pando_resilience::Call;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::outbox::{BELL, SWEEP_EVERY};
use crate::settle::BUDGET;
use crate::store::outbox as store;
use crate::{Event, Outbox, Queue, QueueError};

/// How many events are numbered, and delivered, at once.
const BATCH: usize = 500;
/// How long a process may be silent before another delivers in its place.
const HOLD: Duration = Duration::from_secs(20);
/// The pauses after a failed delivery.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often lag is measured.
const LAG_EVERY: Duration = Duration::from_secs(5);

type Deliver = Arc<dyn Fn(Vec<Event>) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;
type Current = Arc<dyn Fn() + Send + Sync>;

/// Who is given events: all of them, in the order of the log, at least once. After an error the same events come
/// again, until they are taken.
#[derive(Clone)]
pub struct Subscriber {
    name: String,
    durable: bool,
    deliver: Deliver,
    current: Option<Current>,
}

impl Subscriber {
    /// One for all processes together: whichever runs delivers, and goes on where the last one stopped. It begins
    /// with what is published after it was first seen.
    pub fn durable<F>(
        name: impl Into<String>,
        deliver: impl Fn(Vec<Event>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let deliver: Deliver = Arc::new(move |events| Box::pin(deliver(events)));
        Self { name: name.into(), durable: true, deliver, current: None }
    }

    /// One in each process, from its start to its end: for what a process keeps in memory.
    pub fn every_process<F>(
        name: impl Into<String>,
        deliver: impl Fn(Vec<Event>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { durable: false, ..Self::durable(name, deliver) }
    }

    /// Has `current` called after each round in which this subscriber was given all events that were committed before
    /// the round, also when there were none.
    #[must_use]
    pub fn when_current(mut self, current: impl Fn() + Send + Sync + 'static) -> Self {
        self.current = Some(Arc::new(current));
        self
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("name", &self.name)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

/// Delivers events until it is stopped or dropped.
#[must_use = "a relay that is dropped stops"]
#[derive(Debug)]
pub struct Relay {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// A subscriber at work.
struct Post {
    subscriber: Subscriber,
    /// Where it stands.
    number: i64,
    failures: u32,
    resume_at: Instant,
}

impl Relay {
    /// Starts to deliver. The places of new durable subscribers are made before this returns.
    pub async fn start(outbox: &Outbox, subscribers: Vec<Subscriber>) -> Result<Self, QueueError> {
        let queue = outbox.queue.clone();
        let call = Call::internal("outbox.start", BUDGET);
        let mut posts = Vec::new();
        let mut tx = queue.database().transaction(&call).await?;
        for subscriber in &subscribers {
            if subscriber.durable {
                store::enter(&mut tx, &subscriber.name, queue.clock().now()).await?;
            }
        }
        tx.commit().await?;
        let (end, _) = store::state(&queue.database().read_primary(&call)).await?;
        for subscriber in subscribers {
            let resume_at = Instant::now();
            posts.push(Post { subscriber, number: end, failures: 0, resume_at });
        }
        let (stop, stopping) = watch::channel(false);
        let task = pando_telemetry::spawn("outbox.relay", run(outbox.clone(), posts, stopping));
        Ok(Self { stop, task })
    }

    /// Ends after the delivery that is under way, and lets another process go on at once.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(BUDGET, self.task).await.is_err() {
            tracing::warn!("the relay did not end in time");
        }
    }
}

async fn run(outbox: Outbox, mut posts: Vec<Post>, mut stopping: watch::Receiver<bool>) {
    let queue = &outbox.queue;
    let (bell, holder) = (queue.wakes().bell(BELL), queue.clock().fresh_id());
    let poll = Duration::from_millis(queue.options().poll_ms);
    let pause = Duration::from_millis(queue.options().relay_ms);
    // Other processes are told when events have numbers: until then there is nothing for them to read.
    bell.free.store(true, Ordering::Release);
    let (mut lag_at, mut sweep_at) = (Instant::now(), Instant::now() + SWEEP_EVERY);
    while !*stopping.borrow() && stopping.has_changed().is_ok() {
        let began = Instant::now();
        let round = queue.relay_once(&mut posts, holder).await;
        if Instant::now() >= lag_at {
            lag_at = Instant::now() + LAG_EVERY;
            if posts.iter().any(|post| post.subscriber.durable) {
                outbox.measure_lag().await;
            }
        }
        if round == Round::More {
            continue;
        }
        if Instant::now() >= sweep_at {
            sweep_at = Instant::now() + SWEEP_EVERY;
            outbox.sweep_old().await;
        }
        let wait = if round == Round::Soon { Duration::ZERO } else { poll };
        tokio::select! {
            () = bell.rung() => { bell.take_due(); }
            () = tokio::time::sleep(wait) => {}
            _ = stopping.changed() => {}
        }
        tokio::select! {
            () = tokio::time::sleep_until(began + pause) => {}
            _ = stopping.changed() => {}
        }
    }
    bell.free.store(false, Ordering::Release);
    queue.let_go(&posts, holder).await;
}

/// What a round has left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Nothing that is known of.
    Done,
    /// What another process was numbering just then may not be all.
    Soon,
    /// A whole batch was there: the next one may be too.
    More,
}

impl Queue {
    /// Numbers what was committed and delivers it. Where nothing was published since, this is one cheap read.
    async fn relay_once(&self, posts: &mut [Post], holder: Uuid) -> Round {
        let (end, fresh) = match self.log_state(posts).await {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(%error, "the log of events could not be looked at");
                return Round::Done;
            }
        };
        let (numbered, complete) = match fresh {
            false => (Some(0), true),
            true => match self.number_events().await {
                // A whole batch may not be all, and what another process numbers is not seen yet.
                Ok(numbered) => (numbered, numbered.is_some_and(|numbered| numbered < BATCH as u64)),
                Err(error) => {
                    tracing::warn!(%error, "events could not be numbered");
                    (Some(0), false)
                }
            },
        };
        if numbered > Some(0) {
            // The other processes have subscribers of their own.
            self.wakes().tell(BELL);
        }
        let end = end.saturating_add(i64::try_from(numbered.unwrap_or(0)).unwrap_or(i64::MAX));
        let now = Instant::now();
        let behind = posts.iter_mut().filter(|post| post.number < end && post.resume_at <= now);
        let delivering = behind.map(async |post| match self.deliver(post, holder).await {
            Ok(more) => {
                post.failures = 0;
                more
            }
            Err(reason) => {
                tracing::warn!(subscriber = post.subscriber.name, %reason, "events could not be delivered");
                let pause = PAUSES.0.saturating_mul(1 << post.failures.min(10)).min(PAUSES.1);
                post.failures += 1;
                post.resume_at = Instant::now() + pause;
                false
            }
        });
        let more = join_all(delivering).await.contains(&true);
        for post in posts.iter().filter(|post| complete && post.number >= end) {
            post.subscriber.current.iter().for_each(|current| current());
        }
        match numbered {
            Some(numbered) if more || numbered >= u64::try_from(BATCH).unwrap_or(u64::MAX) => Round::More,
            None => Round::Soon,
            Some(_) => Round::Done,
        }
    }

    /// Where the log ends, and whether it is to go on; the posts learn where they stand, whoever moved them.
    async fn log_state(&self, posts: &mut [Post]) -> Result<(i64, bool), QueueError> {
        let call = Call::internal("outbox.state", BUDGET);
        let read = self.database().read_primary(&call);
        let durable = posts.iter().filter(|post| post.subscriber.durable);
        let names: Vec<String> = durable.map(|post| post.subscriber.name.clone()).collect();
        if !names.is_empty() {
            let places: HashMap<String, i64> = store::places(&read, names).await?.into_iter().collect();
            for post in posts.iter_mut().filter(|post| post.subscriber.durable) {
                // One that was forgotten is given nothing.
                post.number = places.get(&post.subscriber.name).copied().unwrap_or(i64::MAX);
            }
        }
        Ok(store::state(&read).await?)
    }

    /// Gives numbers to what was committed; how many, or nothing when another process is at it.
    async fn number_events(&self) -> Result<Option<u64>, QueueError> {
        let call = Call::internal("outbox.number", BUDGET);
        let mut tx = self.database().transaction(&call).await?;
        let numbered = store::number(&mut tx, BATCH).await?;
        tx.commit().await?;
        Ok(numbered)
    }

    /// Delivers one batch to one subscriber; whether there may be more.
    async fn deliver(&self, post: &mut Post, holder: Uuid) -> Result<bool, String> {
        let from = match post.subscriber.durable {
            false => post.number,
            true => {
                match self.hold(&post.subscriber.name, holder).await.map_err(|error| error.to_string())? {
                    Some(number) => number,
                    None => return Ok(false),
                }
            }
        };
        let call = Call::internal("outbox.deliver", BUDGET);
        let read = self.database().read_primary(&call);
        let events = store::read_after(&read, from, BATCH).await.map_err(|error| error.to_string())?;
        let Some((last, _)) = events.last() else { return Ok(false) };
        let (last, full) = (*last, events.len() >= BATCH);
        (post.subscriber.deliver)(events.into_iter().map(|(_, event)| event).collect()).await?;
        post.number = last;
        if post.subscriber.durable {
            self.advance(&post.subscriber.name, holder, last).await.map_err(|error| error.to_string())?;
        }
        Ok(full)
    }

    async fn hold(&self, subscriber: &str, holder: Uuid) -> Result<Option<i64>, QueueError> {
        let call = Call::internal("outbox.hold", BUDGET);
        let mut tx = self.database().transaction(&call).await?;
        let now = self.clock().now();
        let until = now.plus_micros(i64::try_from(HOLD.as_micros()).unwrap_or(i64::MAX));
        let number = store::hold(&mut tx, subscriber, holder, now, until).await?;
        tx.commit().await?;
        Ok(number)
    }

    async fn advance(&self, subscriber: &str, holder: Uuid, number: i64) -> Result<(), QueueError> {
        let call = Call::internal("outbox.advance", BUDGET);
        let mut tx = self.database().transaction(&call).await?;
        let now = self.clock().now();
        let until = now.plus_micros(i64::try_from(HOLD.as_micros()).unwrap_or(i64::MAX));
        store::advance(&mut tx, (subscriber, holder), number, now, until).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn let_go(&self, posts: &[Post], holder: Uuid) {
        let call = Call::internal("outbox.let_go", BUDGET);
        let letting = async {
            let mut tx = self.database().transaction(&call).await?;
            for post in posts.iter().filter(|post| post.subscriber.durable) {
                store::let_go(&mut tx, &post.subscriber.name, holder).await?;
            }
            tx.commit().await
        };
        if let Err(error) = letting.await {
            tracing::debug!(%error, "others will deliver when the hold runs out");
        }
    }
}

impl Outbox {
    pub(crate) async fn sweep_old(&self) {
        let kept = self.queue.options().events_days.saturating_mul(86_400_000_000);
        let before = self.queue.clock().now().plus_micros(-i64::try_from(kept).unwrap_or(i64::MAX));
        if let Err(error) = self.sweep(before).await {
            tracing::warn!(%error, "old events could not be swept");
        }
    }

    async fn measure_lag(&self) {
        let call = Call::internal("outbox.lag", BUDGET);
        match self.lag(&call).await {
            Ok(lags) => {
                let now = self.queue.clock().now();
                for lag in lags {
                    let micros = lag.since.map_or(0, |since| now.as_micros() - since.as_micros());
                    self.queue.gauges().outbox(&lag.subscriber, lag.events, micros / 1_000_000);
                }
            }
            Err(error) => tracing::debug!(%error, "the lag could not be measured"),
        }
    }
}
