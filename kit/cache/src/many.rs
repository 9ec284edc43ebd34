//! Look-ups of many keys at once: one round trip to Redis, and one load for all missing keys.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use pando_resilience::{Call, Deadline};
use tokio::time::Instant;

use crate::LoadError;
use crate::cache::{Cache, JoinOrBegin, LocalLookup};
use crate::entry::{Entry, Found, Loaded, Source};
use crate::fence::Ticket;
use crate::flight::{Failure, Flight, Landing, Outcome, Trouble, Waiter};
use crate::l2::{Read, Remote};
use crate::load::{Carried, typed};
use crate::meters::Turn;
use crate::options::millis;
use crate::reach::{SharedLookup, Start};

type LoadingMany = Pin<Box<dyn Future<Output = Result<Vec<Option<Loaded>>, Failure>> + Send>>;
type OriginMany = Box<dyn FnOnce(Call, Vec<usize>) -> LoadingMany + Send>;

/// One key that this call loads.
struct Led {
    index: usize,
    ticket: Ticket,
    landing: Landing,
}

/// Where each key of a call stands.
enum KeyState {
    Here(Arc<Entry>, Source),
    Waits(Waiter, Option<Arc<Entry>>),
    Leads(Arc<Flight>, Option<Arc<Entry>>),
}

impl Cache {
    /// The values of these keys, in their order. `load` gets the places of the keys that have to be loaded, and answers
    /// for them in the same order. Keys that others are loading are waited for, not loaded again.
    pub async fn get_many<E, F, Fut, K>(
        &self,
        call: &Call,
        keys: &[K],
        at_least: Option<u64>,
        load: F,
    ) -> Result<Vec<Option<Found>>, LoadError<E>>
    where
        E: Send + Sync + 'static,
        K: AsRef<[u8]>,
        F: FnOnce(Call, Vec<usize>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Vec<Option<Loaded>>, E>> + Send + 'static,
    {
        let origin: OriginMany = Box::new(move |call, places| {
            Box::pin(async move { load(call, places).await.map_err(|error| Arc::new(error) as Failure) })
        });
        let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
        self.fetch_many(call, &keys, at_least, origin).await.map_err(typed)
    }

    /// Boxed, so that it is compiled here and not in every crate that reads.
    fn fetch_many<'a>(
        &'a self,
        call: &'a Call,
        keys: &'a [&'a [u8]],
        at_least: Option<u64>,
        origin: OriginMany,
    ) -> BoxFuture<'a, Result<Vec<Option<Found>>, Trouble>> {
        Box::pin(self.find_or_load_many(call, keys, at_least, origin))
    }

    async fn find_or_load_many(
        &self,
        call: &Call,
        keys: &[&[u8]],
        at_least: Option<u64>,
        origin: OriginMany,
    ) -> Result<Vec<Option<Found>>, Trouble> {
        if let Some(position) = at_least {
            self.observe(position);
        }
        let mut led = Vec::new();
        let states: Vec<KeyState> = keys
            .iter()
            .enumerate()
            .map(|(index, key)| self.start_key(index, key, at_least, &mut led))
            .collect();
        if !led.is_empty() {
            self.lead_many(call, led, origin).await;
        }
        let mut found = Vec::with_capacity(keys.len());
        for (state, key) in states.into_iter().zip(keys) {
            found.push(self.finish_key(call, key, state).await?);
        }
        Ok(found)
    }

    fn start_key(&self, index: usize, key: &[u8], at_least: Option<u64>, led: &mut Vec<Led>) -> KeyState {
        let now = self.0.now();
        let stale = match self.look_up_here(key, at_least, now) {
            LocalLookup::Fresh(entry) => {
                self.found(key, &Turn::take(), Arc::clone(&entry), now);
                return KeyState::Here(entry, Source::L1);
            }
            LocalLookup::Stale(entry) if entry.load_failed_lately(now) => {
                self.0.meters.stale_hits.inc();
                return KeyState::Here(entry, Source::Stale);
            }
            LocalLookup::Stale(entry) => Some(entry),
            LocalLookup::Nothing => None,
        };
        match self.join_or_begin(key, at_least, None) {
            JoinOrBegin::Filled(entry) => {
                self.found(key, &Turn::take(), Arc::clone(&entry), now);
                KeyState::Here(entry, Source::L1)
            }
            JoinOrBegin::Join(waiter) => {
                self.0.meters.l1.misses.inc();
                KeyState::Waits(waiter, stale)
            }
            JoinOrBegin::Begin(flight, ticket) => {
                self.0.meters.l1.misses.inc();
                let (hash, key) = (ticket.hash, key.into());
                let landing = Landing { cache: self.clone(), key, hash, flight: Arc::clone(&flight) };
                led.push(Led { index, ticket, landing });
                KeyState::Leads(flight, stale)
            }
        }
    }

    /// Runs one load for all keys that no other caller is loading, as long as its caller stays.
    async fn lead_many(&self, call: &Call, led: Vec<Led>, origin: OriginMany) {
        let flights: Vec<Arc<Flight>> = led.iter().map(|led| Arc::clone(&led.landing.flight)).collect();
        let mut loading = call.clone();
        loading.deadline = Deadline::after(millis(self.0.options.load_hard_ms));
        let cache = self.clone();
        let work = Box::pin(async move { cache.reach_many(loading, led, origin).await });
        let is_awaited = || flights.iter().any(|flight| flight.is_awaited());
        let mut carried = Carried { work: Some(work), is_awaited };
        let Some(work) = carried.work.as_mut() else { return };
        if call.deadline.bound(work).await.is_ok() {
            carried.work = None;
        }
    }

    async fn reach_many(&self, call: Call, led: Vec<Led>, origin: OriginMany) {
        let missing = match &self.0.remote {
            Some(remote) => self.read_many(remote, led).await,
            None => led.into_iter().map(|led| (led, Start::default())).collect(),
        };
        if missing.is_empty() {
            return;
        }
        let inner = &*self.0;
        inner.meters.loads.inc();
        let began = Instant::now();
        let places: Vec<usize> = missing.iter().map(|(led, _)| led.index).collect();
        let loaded = call.deadline.bound(origin(call, places)).await;
        let took = began.elapsed();
        inner.meters.load_seconds.observe_duration(took);
        let trouble = match loaded {
            Ok(Ok(values)) => {
                // A load that answers for fewer keys says that there are no such things.
                let values = values.into_iter().chain(std::iter::repeat(None));
                for ((Led { ticket, landing, .. }, start), value) in missing.into_iter().zip(values) {
                    let position = landing.flight.position;
                    let (entry, kept) = self.fill(&landing.key, value.as_ref(), position, ticket, took);
                    if kept && let Some(at) = start.at {
                        self.fill_l2(&landing.key, value, position, took, at);
                    }
                    landing.land(Outcome::Done(entry, Source::Origin));
                }
                return;
            }
            Ok(Err(failure)) => Trouble::Load(failure),
            Err(_) => Trouble::LoadTimeout,
        };
        inner.meters.load_errors.inc();
        for (Led { ticket, landing, .. }, start) in missing {
            let outcome = self.fall_back(&landing.key, ticket, &start, trouble.clone());
            landing.land(outcome);
        }
    }

    /// Lands what Redis has; answers what it has not.
    async fn read_many(&self, remote: &Remote, led: Vec<Led>) -> Vec<(Led, Start<'_>)> {
        let keys: Vec<&[u8]> = led.iter().map(|led| led.landing.key.as_ref()).collect();
        let reads = self.0.read(remote, &keys).await;
        if reads.iter().all(|read| matches!(read, Read::Down)) {
            return self.without_l2_many(led);
        }
        let mut missing = Vec::new();
        for (led, read) in led.into_iter().zip(reads) {
            match self.judge(&led.landing.key, &led.landing.flight, led.ticket, read, false) {
                SharedLookup::Found(entry) => led.landing.land(Outcome::Done(entry, Source::L2)),
                SharedLookup::Refused(trouble) => led.landing.land(Outcome::Trouble(trouble)),
                SharedLookup::Load(start) => missing.push((led, start)),
            }
        }
        missing
    }

    /// Redis is down: all of them together are one load, or none is.
    fn without_l2_many(&self, led: Vec<Led>) -> Vec<(Led, Start<'_>)> {
        match self.0.without_l2() {
            Ok(first) => led
                .into_iter()
                .zip(std::iter::once(first).chain(std::iter::repeat_with(Start::default)))
                .collect(),
            Err(trouble) => {
                led.into_iter().for_each(|led| led.landing.land(Outcome::Trouble(trouble.clone())));
                Vec::new()
            }
        }
    }

    async fn finish_key(&self, call: &Call, key: &[u8], state: KeyState) -> Result<Option<Found>, Trouble> {
        let (outcome, stale) = match state {
            KeyState::Here(entry, source) => return Ok(Found::new(entry, source, self.0.now())),
            KeyState::Leads(flight, stale) => {
                (flight.outcome().unwrap_or(Outcome::Trouble(Trouble::Deadline)), stale)
            }
            KeyState::Waits(waiter, stale) => (self.wait(call, key, &waiter, stale.as_ref()).await, stale),
        };
        match outcome {
            Outcome::Done(entry, source) => Ok(Found::new(entry, source, self.0.now())),
            Outcome::Trouble(trouble) => self.stand_in(key, stale, trouble),
            // Its caller left in the moment this one came; the own load of this call is spent already.
            Outcome::Abandoned => self.stand_in(key, stale, Trouble::WaitTimeout),
        }
    }
}
