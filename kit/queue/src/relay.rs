//! The relay: numbers committed events in a log, and lets each subscriber's own task deliver them.
//!
//! Events get their numbers after their commit: one process at a time numbers every visible event that has no number
//! yet. So a reader at a number has seen everything before it, and no event can appear behind it later.

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

use crate::deliveries::Post;
use crate::outbox::{BELL, SWEEP_EVERY};
use crate::settle::BUDGET;
use crate::store::outbox as store;
use crate::{Event, Outbox, Queue, QueueError};

/// How many events are numbered, and delivered, at once.
pub(crate) const BATCH: usize = 500;
/// How often lag is measured.
const LAG_EVERY: Duration = Duration::from_secs(5);
/// How long one delivery may take unless its subscriber says otherwise.
const DELIVERY: Duration = Duration::from_secs(30);

type Deliver = Arc<dyn Fn(Vec<Event>) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;
type Current = Arc<dyn Fn() + Send + Sync>;

/// A receiver of events. It gets all events in the order of the log, at least once. After an error it gets the same events
/// again until it accepts them. A slow subscriber does not delay the others.
#[derive(Clone)]
pub struct Subscriber {
    pub(crate) name: String,
    pub(crate) durable: bool,
    pub(crate) deliver: Deliver,
    pub(crate) patience: Duration,
    pub(crate) current: Option<Current>,
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
        Self { name: name.into(), durable: true, deliver, patience: DELIVERY, current: None }
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

    /// The same, and one delivery may take this long: then it counts as failed. 30 s unless said otherwise.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
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
    tasks: Vec<JoinHandle<()>>,
}

/// How far the log goes, and where durable subscribers stood when somebody last looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogState {
    pub(crate) end: i64,
    pub(crate) places: HashMap<String, i64>,
    /// How many looks found everything that was committed before them.
    pub(crate) complete: u64,
}

impl Relay {
    /// Starts to deliver. The places of new durable subscribers are made before this returns.
    pub async fn start(outbox: &Outbox, subscribers: Vec<Subscriber>) -> Result<Self, QueueError> {
        let queue = outbox.queue.clone();
        let call = Call::internal("outbox.start", BUDGET);
        let durable = subscribers.iter().filter(|subscriber| subscriber.durable);
        let names: Vec<String> = durable.map(|subscriber| subscriber.name.clone()).collect();
        let mut tx = queue.database().transaction(&call).await?;
        for name in &names {
            store::enter(&mut tx, name, queue.clock().now()).await?;
        }
        tx.commit().await?;
        let (end, _) = store::state(&queue.database().read_primary(&call)).await?;
        let (stop, stopping) = watch::channel(false);
        let (log, logs) = watch::channel(LogState { end, ..LogState::default() });
        let holder = queue.clock().fresh_id();
        let mut tasks = Vec::new();
        for subscriber in subscribers {
            let post = Post::new(queue.clone(), subscriber, holder, end);
            tasks.push(pando_telemetry::spawn("outbox.post", post.keep(logs.clone(), stopping.clone())));
        }
        tasks.push(pando_telemetry::spawn("outbox.relay", run(outbox.clone(), names, log, stopping)));
        Ok(Self { stop, tasks })
    }

    /// Ends after the deliveries that are under way, unless they take too long, and lets another process go on at once.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(BUDGET, join_all(self.tasks)).await.is_err() {
            tracing::warn!("the relay did not end in time");
        }
    }
}

async fn run(
    outbox: Outbox,
    names: Vec<String>,
    log: watch::Sender<LogState>,
    mut stopping: watch::Receiver<bool>,
) {
    let queue = &outbox.queue;
    let bell = queue.wakes().bell(BELL);
    let poll = Duration::from_millis(queue.options().poll_ms);
    let pause = Duration::from_millis(queue.options().relay_ms);
    // Other processes are notified when events have numbers, because they cannot read events without numbers.
    bell.free.store(true, Ordering::Release);
    let (mut lag_at, mut sweep_at) = (Instant::now(), Instant::now() + SWEEP_EVERY);
    while !*stopping.borrow() && stopping.has_changed().is_ok() {
        let began = Instant::now();
        let round = queue.number_once(&names, &log).await;
        if Instant::now() >= lag_at {
            lag_at = Instant::now() + LAG_EVERY;
            // Also where this relay has no durable subscriber: a reader has no relay that could do so.
            outbox.measure_lag().await;
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
}

/// The work that a round has left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Nothing that is known of.
    Done,
    /// Another process was numbering events at this moment, so some may still be missing.
    Soon,
    /// A whole batch was there: the next one may be too.
    More,
}

impl Queue {
    /// Numbers what was committed and says how far the log goes. Where nothing was published since, this is two cheap
    /// reads.
    async fn number_once(&self, names: &[String], log: &watch::Sender<LogState>) -> Round {
        let (mut state, fresh) = match self.log_state(names).await {
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
        let more = i64::try_from(numbered.unwrap_or(0)).unwrap_or(i64::MAX);
        state.end = state.end.saturating_add(more);
        state.complete = log.borrow().complete + u64::from(complete);
        log.send_if_modified(|known| {
            let modified = *known != state;
            *known = state;
            modified
        });
        match numbered {
            Some(numbered) if numbered >= u64::try_from(BATCH).unwrap_or(u64::MAX) => Round::More,
            None => Round::Soon,
            Some(_) => Round::Done,
        }
    }

    /// Where the log ends and durable subscribers stand, whoever moved them, and whether events have no number yet.
    async fn log_state(&self, names: &[String]) -> Result<(LogState, bool), QueueError> {
        let call = Call::internal("outbox.state", BUDGET);
        let read = self.database().read_primary(&call);
        let places = match names {
            [] => HashMap::new(),
            names => store::places(&read, names.to_vec()).await?.into_iter().collect(),
        };
        let (end, fresh) = store::state(&read).await?;
        Ok((LogState { end, places, complete: 0 }, fresh))
    }

    /// Gives numbers to what was committed; how many, or nothing when another process is at it.
    pub(crate) async fn number_events(&self) -> Result<Option<u64>, QueueError> {
        let call = Call::internal("outbox.number", BUDGET);
        let mut tx = self.database().transaction(&call).await?;
        let numbered = store::number(&mut tx, BATCH).await?;
        tx.commit().await?;
        Ok(numbered)
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
