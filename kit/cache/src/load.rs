//! Finds the value of a key for which this process holds no fresh entry.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;
use pando_resilience::{Call, Deadline};

use crate::LoadError;
use crate::cache::{Cache, JoinOrBegin, LocalLookup};
use crate::entry::{Entry, Found, Loaded, Source};
use crate::fence::Ticket;
use crate::flight::{Failure, Flight, Landing, Outcome, Trouble, Waiter};
use crate::meters::Turn;
use crate::options::{micros, millis};
use crate::tags::Verdict;

type Loading = Pin<Box<dyn Future<Output = Result<Option<Loaded>, Failure>> + Send>>;

/// The caller's load, its types forgotten: the rest is compiled once.
pub(crate) type Origin = Box<dyn FnOnce(Call) -> Loading + Send>;

impl Cache {
    /// The value of this key: from this process, from Redis, or from `load`, which answers `None` when there is no
    /// such thing. `at_least` is the database position the caller must see.
    ///
    /// Concurrent misses of one key share one load. It gets a call of its own, with the hard timeout as its deadline,
    /// because it may outlive the caller who began it.
    pub async fn get_or_load<E, F, Fut>(
        &self,
        call: &Call,
        key: &[u8],
        at_least: Option<u64>,
        load: F,
    ) -> Result<Option<Found>, LoadError<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Option<Loaded>, E>> + Send + 'static,
    {
        let turn = Turn::take();
        let now = self.0.now();
        let looked = self.look_up_here(key, at_least, now);
        if let LocalLookup::Fresh(entry) = &looked {
            let due = entry.is_due(now, self.0.options.early_refresh_beta);
            if !due && !entry.refresh_wanted.load(Ordering::Relaxed) {
                return Ok(self.found(key, &turn, Arc::clone(entry), now));
            }
            entry.refresh_wanted.store(true, Ordering::Relaxed);
        }
        let origin: Origin = Box::new(move |call| {
            Box::pin(async move { load(call).await.map_err(|error| Arc::new(error) as Failure) })
        });
        self.fetch(call, key, at_least, looked, origin).await.map_err(typed)
    }

    /// Boxed, so that it is compiled here and not in every crate that reads.
    fn fetch<'a>(
        &'a self,
        call: &'a Call,
        key: &'a [u8],
        at_least: Option<u64>,
        looked: LocalLookup,
        origin: Origin,
    ) -> BoxFuture<'a, Result<Option<Found>, Trouble>> {
        Box::pin(self.find_or_load(call, key, at_least, looked, origin))
    }

    async fn find_or_load(
        &self,
        call: &Call,
        key: &[u8],
        at_least: Option<u64>,
        mut looked: LocalLookup,
        origin: Origin,
    ) -> Result<Option<Found>, Trouble> {
        if let Some(position) = at_least {
            self.observe(position);
        }
        if call.deadline.is_past() {
            return Err(Trouble::Deadline);
        }
        let (outcome, stale) = loop {
            let stale = match looked {
                LocalLookup::Fresh(entry) => return Ok(self.hit(call, key, at_least, entry, Some(origin))),
                LocalLookup::Stale(entry) if self.may_wait_behind(key, &entry) => {
                    return Ok(self.serve_behind(call, key, at_least, entry, origin));
                }
                LocalLookup::Stale(entry) => Some(entry),
                LocalLookup::Nothing => None,
            };
            match self.join_or_begin(key, at_least, None) {
                JoinOrBegin::Filled(entry) => return Ok(self.hit(call, key, at_least, entry, None)),
                JoinOrBegin::Begin(flight, ticket) => {
                    self.0.meters.l1.misses.inc();
                    break (self.lead(call, key, flight, ticket, origin, stale.as_ref()).await, stale);
                }
                JoinOrBegin::Join(waiter) => {
                    self.0.meters.l1.misses.inc();
                    match self.wait(call, key, &waiter, stale.as_ref()).await {
                        // Its caller left: this one begins anew, with its own load.
                        Outcome::Abandoned => looked = self.look_up_here(key, at_least, self.0.now()),
                        outcome => break (outcome, stale),
                    }
                }
            }
        };
        match outcome {
            Outcome::Done(entry, source) => Ok(Found::new(entry, source, self.0.now())),
            Outcome::Trouble(trouble) => self.stand_in(key, stale, trouble),
            // A load that its own caller carried does not get lost.
            Outcome::Abandoned => self.stand_in(key, stale, Trouble::Panicked),
        }
    }

    /// A hit of this process, and a refresh behind it if one of the hits before found it due.
    fn hit(
        &self,
        call: &Call,
        key: &[u8],
        at_least: Option<u64>,
        entry: Arc<Entry>,
        origin: Option<Origin>,
    ) -> Option<Found> {
        if let Some(origin) = origin
            && entry.refresh_wanted.swap(false, Ordering::Relaxed)
        {
            self.refresh_behind(call, key, at_least, &entry, origin);
        }
        self.found(key, &Turn::take(), entry, self.0.now())
    }

    /// Whether a stale entry is served at once: it has only just expired, or a load has only just failed.
    fn may_wait_behind(&self, key: &[u8], entry: &Entry) -> bool {
        let (now, options) = (self.0.now(), &self.0.options);
        let just_expired = now < entry.fresh_until.saturating_add(micros(options.stale_while_revalidate_ms));
        entry.load_failed_lately(now) || (just_expired && self.is_only_old(key, entry))
    }

    /// Whether nothing speaks against an entry but its age. One that an invalidation may have missed stands in for a
    /// load that fails, and not for one that is slow.
    fn is_only_old(&self, key: &[u8], entry: &Entry) -> bool {
        matches!(self.0.verdict(key, entry, self.0.now()), Verdict::Valid | Verdict::Doubted)
    }

    fn serve_behind(
        &self,
        call: &Call,
        key: &[u8],
        at_least: Option<u64>,
        entry: Arc<Entry>,
        origin: Origin,
    ) -> Option<Found> {
        let now = self.0.now();
        self.0.meters.stale_hits.inc();
        if !entry.load_failed_lately(now) {
            self.refresh_behind(call, key, at_least, &entry, origin);
        }
        Found::new(entry, Source::Stale, now)
    }

    /// Loads in a task of its own, unless somebody loads already.
    fn refresh_behind(
        &self,
        call: &Call,
        key: &[u8],
        at_least: Option<u64>,
        entry: &Arc<Entry>,
        origin: Origin,
    ) {
        let JoinOrBegin::Begin(flight, ticket) = self.join_or_begin(key, at_least, Some(entry)) else {
            return;
        };
        self.0.meters.early_refreshes.inc();
        let pause = micros(self.0.options.load_hard_ms.max(self.0.options.failed_load_pause_ms));
        entry.postpone_refresh(self.0.now().saturating_add(pause));
        let (entry, cache) = (Arc::clone(entry), self.clone());
        let work = self.work(call, key, Arc::clone(&flight), ticket, origin, entry.ends_with_l2);
        pando_telemetry::spawn("cache.refresh", async move {
            work.await;
            if let Some(Outcome::Trouble(_)) = flight.outcome() {
                cache.pause_after_failure(&entry);
            }
        });
    }

    /// Carries the load as long as its caller stays; hands it to a task if others wait for it.
    async fn lead(
        &self,
        call: &Call,
        key: &[u8],
        flight: Arc<Flight>,
        ticket: Ticket,
        origin: Origin,
        stale: Option<&Arc<Entry>>,
    ) -> Outcome {
        let work = Box::pin(self.work(call, key, Arc::clone(&flight), ticket, origin, false));
        let mut carried = Carried { work: Some(work), is_awaited: || flight.is_awaited() };
        let (until, trouble) = self.patience(call, key, stale, self.0.options.load_hard_ms.saturating_mul(2));
        let Some(work) = carried.work.as_mut() else { return Outcome::Abandoned };
        if tokio::time::timeout_at(until.instant(), work).await.is_ok() {
            carried.work = None;
            return flight.outcome().unwrap_or(Outcome::Abandoned);
        }
        if matches!(trouble, Trouble::WaitTimeout)
            && let Some(work) = carried.work.take()
        {
            // A stale entry stands in: the load goes on behind.
            pando_telemetry::spawn("cache.load", work);
        }
        Outcome::Trouble(trouble)
    }

    pub(crate) async fn wait(
        &self,
        call: &Call,
        key: &[u8],
        waiter: &Waiter,
        stale: Option<&Arc<Entry>>,
    ) -> Outcome {
        let (until, trouble) = self.patience(call, key, stale, self.0.options.wait_ms);
        match tokio::time::timeout_at(until.instant(), waiter.outcome()).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Trouble(trouble),
        }
    }

    /// Until when this caller waits, and the error that it gets then.
    fn patience(
        &self,
        call: &Call,
        key: &[u8],
        stale: Option<&Arc<Entry>>,
        longest_ms: u64,
    ) -> (Deadline, Trouble) {
        let replaceable = stale.is_some_and(|entry| self.is_only_old(key, entry));
        let own = if replaceable { longest_ms.min(self.0.options.load_soft_ms) } else { longest_ms };
        let own = Deadline::after(millis(own));
        match call.deadline <= own {
            true => (call.deadline, Trouble::Deadline),
            false => (own, Trouble::WaitTimeout),
        }
    }

    /// Fail-safe: a stale entry stands in for a load that failed or is slow.
    pub(crate) fn stand_in(
        &self,
        key: &[u8],
        stale: Option<Arc<Entry>>,
        trouble: Trouble,
    ) -> Result<Option<Found>, Trouble> {
        let Some(entry) = stale else { return Err(trouble) };
        let slow = matches!(trouble, Trouble::WaitTimeout | Trouble::Deadline);
        if slow && !self.is_only_old(key, &entry) {
            return Err(trouble);
        }
        if !slow {
            self.pause_after_failure(&entry);
        }
        self.0.meters.stale_hits.inc();
        Ok(Found::new(entry, Source::Stale, self.0.now()))
    }

    fn pause_after_failure(&self, entry: &Entry) {
        entry.load_failed(self.0.now().saturating_add(micros(self.0.options.failed_load_pause_ms)));
    }

    /// The load itself, from the second tier or the origin. However it ends, its flight lands.
    fn work(
        &self,
        call: &Call,
        key: &[u8],
        flight: Arc<Flight>,
        ticket: Ticket,
        origin: Origin,
        skip_l2: bool,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut call = call.clone();
        call.deadline = Deadline::after(millis(self.0.options.load_hard_ms));
        let landing = Landing { cache: self.clone(), key: key.into(), hash: ticket.hash, flight };
        async move {
            let outcome =
                landing.cache.reach(call, &landing.key, &landing.flight, ticket, origin, skip_l2).await;
            landing.land(outcome);
        }
    }
}

/// A load that runs in its caller's task. If the caller goes away while others wait, a new task takes the load over; if no
/// other caller waits, the load is dropped.
pub(crate) struct Carried<W: Future<Output = ()> + Send + 'static, A: Fn() -> bool> {
    pub(crate) work: Option<Pin<Box<W>>>,
    pub(crate) is_awaited: A,
}

impl<W: Future<Output = ()> + Send + 'static, A: Fn() -> bool> Drop for Carried<W, A> {
    fn drop(&mut self) {
        // A load that panicked cannot be taken over, and neither can any load once the runtime is gone. In these cases the
        // landing informs the callers that wait.
        if let Some(work) = self.work.take()
            && (self.is_awaited)()
            && !std::thread::panicking()
            && tokio::runtime::Handle::try_current().is_ok()
        {
            pando_telemetry::spawn("cache.load", work);
        }
    }
}

pub(crate) fn typed<E: Send + Sync + 'static>(trouble: Trouble) -> LoadError<E> {
    match trouble {
        Trouble::Load(failure) => match (failure as Arc<dyn Any + Send + Sync>).downcast::<E>() {
            Ok(error) => LoadError::Load(error),
            // Two loads of one key with two types of errors: the other's error cannot be told in this one's words.
            Err(_) => LoadError::Panicked,
        },
        Trouble::Deadline => LoadError::DeadlineExceeded,
        Trouble::LoadTimeout => LoadError::LoadTimeout,
        Trouble::WaitTimeout => LoadError::WaitTimeout,
        Trouble::Panicked => LoadError::Panicked,
        Trouble::Protected => LoadError::Protected,
        Trouble::L2Down => LoadError::L2Down,
    }
}
