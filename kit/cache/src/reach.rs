//! One load: from Redis if it has the value, from the origin if not, and back into both.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pando_resilience::Call;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use crate::WhenL2Down;
use crate::cache::{Cache, Freshness, Inner};
use crate::entry::{Entry, Loaded, Source, gap};
use crate::fence::Ticket;
use crate::flight::{Flight, Outcome, Trouble};
use crate::l2::{Fill, Read, Remote, Stored};
use crate::load::Origin;
use crate::options::micros;

/// What Redis had to say before a load.
#[derive(Default)]
pub(crate) struct Start<'a> {
    /// The time in Redis; `None` if Redis is down or was not asked. In that case nothing is written there either.
    pub(crate) at: Option<i64>,
    /// The entry that may be served if the load fails.
    stale: Option<Arc<Entry>>,
    /// Leave to load while Redis is down.
    _leave: Option<SemaphorePermit<'a>>,
}

/// The result of a look-up in Redis.
pub(crate) enum SharedLookup<'a> {
    Found(Arc<Entry>),
    Load(Start<'a>),
    Refused(Trouble),
}

impl Cache {
    pub(crate) async fn reach(
        &self,
        call: Call,
        key: &[u8],
        flight: &Flight,
        ticket: Ticket,
        origin: Origin,
        skip_l2: bool,
    ) -> Outcome {
        let inner = &*self.0;
        let Some(remote) = &inner.remote else {
            return self.load(call, key, flight.position, ticket, origin, &Start::default()).await;
        };
        let read = inner.read(remote, &[key]).await.pop().unwrap_or(Read::Down);
        let start = match self.judge(key, flight, ticket, read, skip_l2) {
            SharedLookup::Found(entry) => return Outcome::Done(entry, Source::L2),
            SharedLookup::Refused(trouble) => return Outcome::Trouble(trouble),
            SharedLookup::Load(start) => start,
        };
        self.load(call, key, flight.position, ticket, origin, &start).await
    }

    /// The consequence of Redis's answer for a load.
    pub(crate) fn judge(
        &self,
        key: &[u8],
        flight: &Flight,
        ticket: Ticket,
        read: Read,
        skip_l2: bool,
    ) -> SharedLookup<'_> {
        let inner = &*self.0;
        let (stored, now, fresh) = match read {
            Read::Fresh(stored, now) => (stored, now, true),
            Read::Stale(stored, now) => (stored, now, false),
            Read::Nothing(now) => {
                inner.meters.l2.misses.inc();
                return SharedLookup::Load(Start { at: Some(now), ..Start::default() });
            }
            Read::Down => return inner.without_l2().map_or_else(SharedLookup::Refused, SharedLookup::Load),
        };
        let mut start = Start { at: Some(now), ..Start::default() };
        if stored.position >= flight.asked {
            // As with an entry of this process: the closer its expiry, the likelier that this look refreshes it.
            let due = stored.body.is_some()
                && gap(stored.cost, inner.options.early_refresh_beta) >= stored.fresh_until - now;
            let entry = Arc::new(inner.promote(stored, now, ticket.epoch, fresh));
            if fresh && !due && !skip_l2 && self.keep(key, ticket, &entry) {
                inner.meters.hits_l2.inc();
                return SharedLookup::Found(entry);
            }
            if entry.body.is_some() && self.admits(key, ticket, &entry) {
                start.stale = Some(entry);
            }
        }
        inner.meters.l2.misses.inc();
        SharedLookup::Load(start)
    }

    /// Loads from the origin, and keeps what it says.
    async fn load(
        &self,
        call: Call,
        key: &[u8],
        position: u64,
        ticket: Ticket,
        origin: Origin,
        start: &Start<'_>,
    ) -> Outcome {
        let inner = &*self.0;
        inner.meters.loads.inc();
        let started = Instant::now();
        let loaded = call.deadline.bound(origin(call)).await;
        let took = started.elapsed();
        inner.meters.load_seconds.observe_duration(took);
        let trouble = match loaded {
            Ok(Ok(value)) => {
                let (entry, kept) = self.fill(key, value.as_ref(), position, ticket, took);
                if kept && let Some(at) = start.at {
                    self.fill_l2(key, value, position, took, at);
                }
                return Outcome::Done(entry, Source::Origin);
            }
            Ok(Err(failure)) => Trouble::Load(failure),
            Err(_) => Trouble::LoadTimeout,
        };
        inner.meters.load_errors.inc();
        self.fall_back(key, ticket, start, trouble)
    }

    /// What Redis holds stands in for a load that failed.
    pub(crate) fn fall_back(
        &self,
        key: &[u8],
        ticket: Ticket,
        start: &Start<'_>,
        trouble: Trouble,
    ) -> Outcome {
        let Some(entry) = &start.stale else { return Outcome::Trouble(trouble) };
        let inner = &*self.0;
        entry.load_failed(inner.now().saturating_add(micros(inner.options.failed_load_pause_ms)));
        self.keep(key, ticket, entry);
        inner.meters.stale_hits.inc();
        Outcome::Done(Arc::clone(entry), Source::Stale)
    }

    /// Keeps what was loaded, unless something newer is known; answers the entry, and whether it was kept.
    pub(crate) fn fill(
        &self,
        key: &[u8],
        value: Option<&Loaded>,
        position: u64,
        ticket: Ticket,
        took: Duration,
    ) -> (Arc<Entry>, bool) {
        let inner = &*self.0;
        let now = inner.now();
        let cost = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        let entry = Arc::new(match value {
            Some(value) => inner.entry(value, position, ticket.epoch, &inner.freshness(now, value.ttl, cost)),
            None => inner.nothing(position, ticket.epoch, now),
        });
        let worth_it = entry.body.is_some() || inner.options.negative_ttl_ms > 0;
        let kept = worth_it && self.keep(key, ticket, &entry);
        (entry, kept)
    }

    /// Sends a value on its way to Redis; the caller does not wait for it.
    pub(crate) fn fill_l2(
        &self,
        key: &[u8],
        value: Option<Loaded>,
        position: u64,
        took: Duration,
        started: i64,
    ) {
        let Some(remote) = &self.0.remote else { return };
        let Ok(leave) = Arc::clone(&remote.fills).try_acquire_owned() else {
            self.0.meters.fills_skipped.inc();
            return;
        };
        let (cache, key) = (self.clone(), Box::<[u8]>::from(key));
        let sending = async move {
            let _leave = leave;
            cache.send(&key, value.as_ref(), position, took, started).await;
        };
        pando_telemetry::spawn("cache.fill", sending);
    }

    async fn send(&self, key: &[u8], value: Option<&Loaded>, position: u64, took: Duration, started: i64) {
        let inner = &*self.0;
        let Some(remote) = &inner.remote else { return };
        let negative = micros(inner.options.negative_ttl_ms);
        let ttl = inner.jitter(value.map_or(negative, |value| remote.ttl(value.ttl)));
        let fill = Fill {
            key,
            version: value.map(|value| value.version),
            position,
            ttl,
            cost: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            tags: value.map_or(&[], |value| &value.tags),
            body: value.map(|value| &value.bytes),
        };
        match remote.fill(&fill, started).await {
            Ok(true) => {}
            Ok(false) => inner.meters.refused_l2.inc(),
            Err(_) => inner.meters.l2_errors.inc(),
        }
    }
}

impl Inner {
    /// Asks Redis, as long as it is worth waiting: a load can answer too, unless the options forbid it.
    pub(crate) async fn read(&self, remote: &Remote, keys: &[&[u8]]) -> Vec<Read> {
        let patience = match self.options.when_l2_down {
            WhenL2Down::Degrade => remote.link.soft(),
            WhenL2Down::Protect | WhenL2Down::Fail => remote.link.hard(),
        };
        let started = Instant::now();
        let was_up = remote.link.is_up();
        let answers = remote.read_all(keys, patience, self.knows_events()).await;
        if was_up {
            self.meters.l2.seconds.observe_duration(started.elapsed());
            if answers.iter().any(|answer| matches!(answer, Read::Down)) {
                self.meters.l2_errors.inc();
            }
        }
        answers
    }

    /// How to go on while Redis is down.
    pub(crate) fn without_l2(&self) -> Result<Start<'_>, Trouble> {
        match self.options.when_l2_down {
            WhenL2Down::Degrade => Ok(Start::default()),
            WhenL2Down::Fail => Err(Trouble::L2Down),
            WhenL2Down::Protect => match self.protected.try_acquire() {
                Ok(leave) => Ok(Start { _leave: Some(leave), ..Start::default() }),
                Err(_) => Err(Trouble::Protected),
            },
        }
    }

    /// An entry of this process from what Redis holds, for as long as that is fresh yet.
    fn promote(&self, stored: Stored, there: i64, epoch: u64, fresh: bool) -> Entry {
        let now = self.now();
        let remaining = if fresh { (stored.fresh_until - there).max(0) } else { 0 };
        let usual = self.freshness(now, None, stored.cost).ttl;
        let ends_with_l2 = remaining <= usual;
        let freshness = Freshness { now, ttl: usual.min(remaining), cost: stored.cost, ends_with_l2 };
        let tags = stored.tags.into_boxed_slice();
        // Copied: as a slice it would keep its header in memory too.
        let body = stored.body.map(|body| Bytes::copy_from_slice(&body));
        let mut entry = self.build(stored.version, body, tags, stored.position, epoch, &freshness);
        entry.loaded_at = now - (there - stored.started).max(0);
        if !fresh {
            // It stands in as long as Redis would keep it.
            let window = micros(self.options.stale_window_ms);
            let over = (there - stored.fresh_until).max(0);
            entry.stale_until = now.saturating_add(window.saturating_sub(over).max(0));
        }
        entry
    }
}
