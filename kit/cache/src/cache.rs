//! One named cache: look-ups, invalidations and fills.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pando_clock::Clock;
use pando_telemetry::Metrics;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::CacheOptions;
use crate::entry::{Entry, Found, Loaded, Source, variants_max};
use crate::events::Events;
use crate::fence::{Fence, Ticket};
use crate::flight::{Flight, Waiter};
use crate::hottest::Hottest;
use crate::l2::{Fill, Kind, Link, Message, Remote};
use crate::local::Local;
use crate::meters::{Meters, Turn};
use crate::options::micros;
use crate::silence::{Doubt, Silences};
use crate::staleness::Staleness;
use crate::tags::{Tags, Verdict};

/// One named cache. Cloning shares it.
#[derive(Clone)]
pub struct Cache(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) name: &'static str,
    pub(crate) options: CacheOptions,
    pub(crate) clock: Clock,
    pub(crate) meters: Meters,
    pub(crate) local: Local,
    pub(crate) tags: Tags,
    pub(crate) fence: Fence,
    pub(crate) hottest: Hottest,
    /// The highest database position known.
    pub(crate) position: AtomicU64,
    /// Limits the loads while Redis is down.
    pub(crate) protected: Semaphore,
    /// The second tier, if there is one.
    pub(crate) remote: Option<Remote>,
    pub(crate) staleness: Staleness,
    pub(crate) silences: Silences,
    pub(crate) events: Events,
}

/// The result of a look-up in this process.
pub(crate) enum LocalLookup {
    Fresh(Arc<Entry>),
    /// It may stand in for a load that fails.
    Stale(Arc<Entry>),
    Nothing,
}

/// How a caller gets at a value that is not here.
pub(crate) enum JoinOrBegin {
    /// Somebody filled it in the meantime.
    Filled(Arc<Entry>),
    /// Somebody is loading it.
    Join(Waiter),
    /// This caller loads it.
    Begin(Arc<Flight>, Ticket),
}

/// Until when what was loaded is believed.
pub(crate) struct Freshness {
    pub(crate) now: i64,
    /// How long it is fresh here, in microseconds.
    pub(crate) ttl: i64,
    /// How long the load took.
    pub(crate) cost: i64,
    pub(crate) ends_with_l2: bool,
}

impl Cache {
    pub(crate) fn new(
        name: &'static str,
        options: CacheOptions,
        metrics: &Metrics,
        clock: &Clock,
        link: Option<&Arc<Link>>,
    ) -> Self {
        let meters = Meters::new(metrics, name);
        let local = Local::new(&options, meters.evicted_size.clone());
        let cache = Self(Arc::new(Inner {
            name,
            clock: clock.clone(),
            meters,
            local,
            tags: Tags::default(),
            fence: Fence::new(),
            hottest: Hottest::default(),
            position: AtomicU64::new(0),
            protected: Semaphore::new(options.protect_loads_max),
            staleness: Staleness::default(),
            silences: Silences::new(micros(options.silence_spread_ms)),
            events: Events::default(),
            remote: link.filter(|_| options.l2).map(|link| Remote::new(Arc::clone(link), name, &options)),
            options,
        }));
        let weak = Arc::downgrade(&cache.0);
        metrics.on_scrape(move || {
            if let Some(inner) = weak.upgrade() {
                inner.meters.publish(inner.local.len(), inner.local.bytes());
            }
        });
        cache
    }

    /// The value, if this process holds it fresh. Never waits, never loads, allocates nothing: made for the hottest
    /// path. A hit that is due for an early refresh answers `None` once, so that [`Cache::get_or_load`] refreshes it.
    pub fn peek(&self, key: &[u8], at_least: Option<u64>) -> Option<Found> {
        let inner = &*self.0;
        let turn = Turn::take();
        let started = turn.is_timed().then(Instant::now);
        let entry = inner.local.get(key)?;
        let now = inner.now();
        if !inner.is_usable(key, &entry, at_least, now) {
            return None;
        }
        if entry.is_due(now, inner.options.early_refresh_beta) {
            entry.refresh_wanted.store(true, Ordering::Relaxed);
            return None;
        }
        let found = Found::new(entry, Source::L1, now)?;
        self.count_hit(key, &turn, &found);
        if let Some(started) = started {
            inner.meters.l1.seconds.observe_duration(started.elapsed());
        }
        Some(found)
    }

    /// The ticket for [`Cache::put`]. Take it before the write begins.
    pub fn ticket(&self, key: &[u8]) -> Ticket {
        let hash = self.0.fence.hash(key);
        Ticket { hash, count: self.0.fence.stripe(hash).count(), epoch: self.0.tags.epoch() }
    }

    /// Keeps what a write has just written, as of the position its commit answered. Older versions are refused from
    /// now on, here and everywhere. The value itself is refused when the key was invalidated or written newer since
    /// the ticket; answers whether it was kept.
    pub async fn put(&self, ticket: Ticket, key: &[u8], value: Loaded, position: u64) -> bool {
        let admitted = self.put_here(ticket, key, &value, position);
        if let Some(told) = self.begin_to_tell_of_write(admitted, key, value, position) {
            let _ = told.await;
        }
        admitted
    }

    /// In a task of its own: the write has happened, whether its caller stays or not.
    fn begin_to_tell_of_write(
        &self,
        admitted: bool,
        key: &[u8],
        value: Loaded,
        position: u64,
    ) -> Option<JoinHandle<()>> {
        self.0.remote.as_ref()?;
        let (cache, key) = (self.clone(), Bytes::copy_from_slice(key));
        Some(pando_telemetry::spawn("cache.tell", async move {
            cache.0.tell_of_write(admitted, &key, &value, position).await;
        }))
    }

    fn put_here(&self, ticket: Ticket, key: &[u8], value: &Loaded, position: u64) -> bool {
        let inner = &*self.0;
        inner.raise(position);
        let now = inner.now();
        let entry = inner.entry(value, position, ticket.epoch, &inner.freshness(now, value.ttl, 0));
        let mut stripe = inner.fence.stripe(ticket.hash);
        let admitted = stripe.admits(ticket, Some(value.version), now)
            && matches!(inner.verdict(key, &entry, now), Verdict::Valid | Verdict::Doubted)
            && !inner.has_newer(key, &entry, now);
        stripe.mark(key, ticket.hash, value.version, now);
        inner.remove_older(key, value.version);
        if !admitted {
            inner.meters.refused_l1.inc();
        } else if inner.options.l1 {
            inner.local.insert(key, Arc::new(entry));
        }
        admitted
    }

    /// From now on, entries of this key older than `version` are refused: in this process as soon as this is polled, in
    /// Redis and in the other processes when it returns, or as soon as Redis is back. `position` is where the database's log
    /// stood after the write, if that is known. For a deletion, `version` is one above the deleted one.
    pub async fn invalidate(&self, key: &[u8], version: i64, position: Option<u64>) {
        // On the bus, 0 is unknown: no write ends there.
        let position = position.unwrap_or(0);
        self.0.invalidate_here(key, version, position);
        self.tell(Kind::Key, key, version, position).await;
    }

    /// Everything with this tag that was loaded until now is gone.
    pub async fn invalidate_tag(&self, tag: &str) {
        self.0.tags.invalidate(tag);
        self.tell(Kind::Tag, tag.as_bytes(), 0, 0).await;
    }

    /// Everything that was loaded until now is gone.
    pub async fn clear(&self) {
        self.0.clear_here();
        self.tell(Kind::Clear, b"", 0, 0).await;
    }

    /// Everything that was loaded until now is expired: it may still stand in for a load that fails.
    pub async fn expire_all(&self) {
        self.0.tags.expire_all();
        self.tell(Kind::Expire, b"", 0, 0).await;
    }

    /// The database's log is known to stand at this position: loads that begin now read it or later.
    pub fn observe(&self, position: u64) {
        self.0.raise(position);
    }

    /// The highest database position known here. Ask the database before a caller's word raises it with
    /// [`Cache::get_or_load`] or [`Cache::observe`]: entries loaded after that count as that new.
    pub fn known_position(&self) -> u64 {
        self.0.position.load(Ordering::Relaxed)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Whether its entries are kept in Redis, too.
    pub fn is_shared(&self) -> bool {
        self.0.remote.is_some()
    }

    /// A hit of this process: a value, or the knowledge that there is none.
    pub(crate) fn found(&self, key: &[u8], turn: &Turn, entry: Arc<Entry>, now: i64) -> Option<Found> {
        let found = Found::new(entry, Source::L1, now);
        match &found {
            Some(found) => self.count_hit(key, turn, found),
            None => self.0.meters.hit(turn),
        }
        found
    }

    /// Tells Redis and the other processes what happened here, in a task of its own: it has happened, whether its
    /// caller stays or not.
    async fn tell(&self, kind: Kind, name: &[u8], version: i64, position: u64) {
        if let Some(told) = self.begin_to_tell(kind, name, version, position) {
            let _ = told.await;
        }
    }

    fn begin_to_tell(&self, kind: Kind, name: &[u8], version: i64, position: u64) -> Option<JoinHandle<()>> {
        self.0.remote.as_ref()?;
        let (cache, name) = (self.clone(), Bytes::copy_from_slice(name));
        Some(pando_telemetry::spawn("cache.tell", async move {
            cache.0.tell(kind, &name, version, position).await;
        }))
    }

    pub(crate) fn count_hit(&self, key: &[u8], turn: &Turn, found: &Found) {
        let inner = &*self.0;
        inner.meters.hit(turn);
        if turn.is_one_in(inner.options.hottest_sample_one_in) {
            inner.hottest.sample(key);
        }
        if turn.is_one_in(inner.options.staleness_sample_one_in) {
            self.compare(key, found.version());
        }
    }

    pub(crate) fn look_up_here(&self, key: &[u8], at_least: Option<u64>, now: i64) -> LocalLookup {
        let inner = &*self.0;
        let Some(entry) = inner.local.get(key) else { return LocalLookup::Nothing };
        if at_least.is_some_and(|position| entry.position < position) {
            return LocalLookup::Nothing;
        }
        match inner.verdict(key, &entry, now) {
            Verdict::Valid if entry.is_fresh(now) => LocalLookup::Fresh(entry),
            Verdict::Valid | Verdict::Doubted | Verdict::Expired
                if entry.may_stand_in(now) && entry.body.is_some() =>
            {
                LocalLookup::Stale(entry)
            }
            _ => LocalLookup::Nothing,
        }
    }

    /// Finds a load to wait for, or begins one. `replacing` is the entry that is to be refreshed though it is fresh.
    pub(crate) fn join_or_begin(
        &self,
        key: &[u8],
        at_least: Option<u64>,
        replacing: Option<&Arc<Entry>>,
    ) -> JoinOrBegin {
        let inner = &*self.0;
        let hash = inner.fence.hash(key);
        let mut stripe = inner.fence.stripe(hash);
        // Entries are filled under this lock, so an entry may be here now that was not found before.
        if let LocalLookup::Fresh(entry) = self.look_up_here(key, at_least, inner.now())
            && !replacing.is_some_and(|replaced| Arc::ptr_eq(replaced, &entry))
        {
            return JoinOrBegin::Filled(entry);
        }
        let (asked, epoch) = (at_least.unwrap_or(0), inner.tags.epoch());
        // The tags of a load under way are not known yet, so after any invalidation the load is not joined.
        if inner.options.single_flight
            && let Some(flight) = stripe.flights.get(key)
            && flight.asked >= asked
            && flight.epoch == epoch
        {
            return JoinOrBegin::Join(flight.join());
        }
        let known = if inner.options.loads_may_lag { 0 } else { inner.position.load(Ordering::Acquire) };
        let flight = Flight::new(known.max(asked), asked, epoch);
        if inner.options.single_flight {
            stripe.flights.insert(key.into(), Arc::clone(&flight));
        }
        JoinOrBegin::Begin(flight, Ticket { hash, count: stripe.count(), epoch })
    }

    /// The load is over: no caller can join it any more.
    pub(crate) fn unlist(&self, hash: u64, key: &[u8], flight: &Arc<Flight>) {
        let mut stripe = self.0.fence.stripe(hash);
        if stripe.flights.get(key).is_some_and(|listed| Arc::ptr_eq(listed, flight)) {
            stripe.flights.remove(key);
        }
    }

    /// Whether nothing newer than what was read under the ticket is known.
    pub(crate) fn admits(&self, key: &[u8], ticket: Ticket, entry: &Entry) -> bool {
        let (inner, now) = (&*self.0, self.0.now());
        let version = entry.body.is_some().then_some(entry.version);
        inner.fence.stripe(ticket.hash).admits(ticket, version, now)
            && inner.tags.verdict(entry) != Verdict::Gone
            && !inner.has_newer(key, entry, now)
    }

    /// Keeps what was read under the ticket, unless something newer is known.
    pub(crate) fn keep(&self, key: &[u8], ticket: Ticket, entry: &Arc<Entry>) -> bool {
        let inner = &*self.0;
        let now = inner.now();
        let stripe = inner.fence.stripe(ticket.hash);
        let version = entry.body.is_some().then_some(entry.version);
        let admitted = stripe.admits(ticket, version, now)
            && inner.tags.verdict(entry) != Verdict::Gone
            && !inner.has_newer(key, entry, now);
        if !admitted {
            inner.meters.refused_l1.inc();
        } else if inner.options.l1 {
            inner.local.insert(key, Arc::clone(entry));
        }
        admitted
    }
}

impl Inner {
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_micros()
    }

    pub(crate) fn raise(&self, position: u64) {
        self.position.fetch_max(position, Ordering::AcqRel);
    }

    pub(crate) fn is_usable(&self, key: &[u8], entry: &Entry, at_least: Option<u64>, now: i64) -> bool {
        entry.is_fresh(now)
            && at_least.is_none_or(|position| entry.position >= position)
            && self.verdict(key, entry, now) == Verdict::Valid
    }

    /// The entry, as far as invalidations and silences leave it usable.
    pub(crate) fn verdict(&self, key: &[u8], entry: &Entry, now: i64) -> Verdict {
        match self.tags.verdict(entry) {
            Verdict::Valid => {
                let mark = i64::try_from(entry.epoch).unwrap_or(i64::MAX);
                match self.silences.doubt(mark, key, now, || self.knows_events()) {
                    Doubt::None => Verdict::Valid,
                    Doubt::Due => Verdict::Doubted,
                    Doubt::Past => Verdict::Expired,
                }
            }
            verdict => verdict,
        }
    }

    async fn tell(&self, kind: Kind, name: &[u8], version: i64, position: u64) {
        if let Some(remote) = &self.remote {
            match remote.invalidate(kind, name, version, position).await {
                true => self.meters.bus_sent.inc(),
                false => self.meters.l2_errors.inc(),
            }
        }
    }

    async fn tell_of_write(&self, admitted: bool, key: &[u8], value: &Loaded, position: u64) {
        let Some(remote) = &self.remote else { return };
        // Whether a tag was invalidated since the value was read, only a load that asked Redis first can tell.
        if !admitted || !value.tags.is_empty() {
            return self.tell(Kind::Key, key, value.version, position).await;
        }
        let ttl = self.jitter(remote.ttl(value.ttl));
        let (version, body) = (Some(value.version), Some(&value.bytes));
        let fill = Fill { key, version, position, ttl, cost: 0, tags: &[], body };
        match remote.put(&fill, value.version).await {
            Some(kept) => {
                self.meters.bus_sent.inc();
                self.meters.refused_l2.inc_by(u64::from(!kept));
            }
            None => self.tell(Kind::Key, key, value.version, position).await,
        }
    }

    /// Does what another process said.
    pub(crate) fn hear(&self, message: &Message) {
        self.meters.bus_received.inc();
        if let Some(remote) = &self.remote {
            remote.stamped(message.kind, &message.name, message.stamp);
        }
        match message.kind {
            Kind::Key => self.invalidate_here(&message.name, message.version, message.position),
            Kind::Tag => self.tags.invalidate(&String::from_utf8_lossy(&message.name)),
            Kind::Clear => self.clear_here(),
            Kind::Expire => self.tags.expire_all(),
        }
    }

    pub(crate) fn invalidate_here(&self, key: &[u8], version: i64, position: u64) {
        self.raise(position);
        let hash = self.fence.hash(key);
        let mut stripe = self.fence.stripe(hash);
        stripe.mark(key, hash, version, self.now());
        self.remove_older(key, version);
    }

    pub(crate) fn clear_here(&self) {
        self.tags.clear();
        let gone = self.local.retain(|entry| self.tags.verdict(entry) != Verdict::Gone);
        self.meters.evicted_invalidated.inc_by(gone as u64);
    }

    /// Removes entries that no caller can use any more.
    pub(crate) fn sweep(&self) {
        let now = self.now();
        let useless = |entry: &Entry| !entry.may_stand_in(now) || self.tags.verdict(entry) == Verdict::Gone;
        let gone = self.local.retain(|entry| !useless(entry));
        self.meters.evicted_expired.inc_by(gone as u64);
    }

    fn remove_older(&self, key: &[u8], version: i64) {
        let older = self.local.peek(key).is_some_and(|entry| entry.body.is_none() || entry.version < version);
        if older && self.local.remove(key) {
            self.meters.evicted_invalidated.inc();
        }
    }

    /// Whether this process holds something newer than `entry`. Only what is fresh counts: a database that was put
    /// back to an earlier state is believed after one TTL.
    fn has_newer(&self, key: &[u8], entry: &Entry, now: i64) -> bool {
        let Some(held) = self.local.peek(key).filter(|held| held.is_fresh(now)) else { return false };
        if !matches!(self.verdict(key, &held, now), Verdict::Valid | Verdict::Doubted) {
            return false;
        }
        let comparable = held.body.is_some() && entry.body.is_some();
        if comparable && held.version != entry.version {
            return held.version > entry.version;
        }
        held.position > entry.position
    }

    /// How long what was loaded now is fresh in this process.
    pub(crate) fn freshness(&self, now: i64, ttl: Option<Duration>, cost: i64) -> Freshness {
        let own = ttl.map_or(i64::MAX, |ttl| i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX));
        let usual = self.jitter(micros(self.options.l1_ttl_ms));
        Freshness { now, ttl: usual.min(own), cost, ends_with_l2: true }
    }

    /// Moves a TTL by a random share.
    pub(crate) fn jitter(&self, ttl: i64) -> i64 {
        let most = i64::from(self.options.jitter_percent);
        if most == 0 {
            return ttl;
        }
        // In ten-thousandths; divided first, so that no TTL overflows.
        let share = fastrand::i64(-most * 100..=most * 100);
        ttl.saturating_add((ttl / 10_000).saturating_mul(share))
    }

    pub(crate) fn entry(&self, value: &Loaded, position: u64, epoch: u64, freshness: &Freshness) -> Entry {
        // Copied, because the loader's value may be a slice of something much larger, which would otherwise stay in memory.
        let body = Some(Bytes::copy_from_slice(&value.bytes));
        let tags = value.tags.clone().into_boxed_slice();
        self.build(value.version, body, tags, position, epoch, freshness)
    }

    /// "There is no such thing."
    pub(crate) fn nothing(&self, position: u64, epoch: u64, now: i64) -> Entry {
        let ttl = self.jitter(micros(self.options.negative_ttl_ms.min(self.options.l1_ttl_ms)));
        let freshness = Freshness { now, ttl, cost: 0, ends_with_l2: true };
        self.build(0, None, Box::default(), position, epoch, &freshness)
    }

    pub(crate) fn build(
        &self,
        version: i64,
        body: Option<Bytes>,
        tags: Box<[Box<str>]>,
        position: u64,
        epoch: u64,
        freshness: &Freshness,
    ) -> Entry {
        let Freshness { now, ttl, cost, ends_with_l2 } = *freshness;
        let fresh_until = now.saturating_add(ttl);
        let window = if body.is_some() { micros(self.options.stale_window_ms) } else { 0 };
        // Twenty load times before expiry the chance that a hit is due is two in a billion: not worth a draw.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a load takes no years"
        )]
        let drawn_from = fresh_until - (cost as f64 * self.options.early_refresh_beta * 20.0) as i64;
        let early_from = if body.is_some() { drawn_from.max(now) } else { i64::MAX };
        let bytes = body.as_ref().map_or(0, Bytes::len);
        Entry {
            version,
            position,
            body,
            tags,
            epoch,
            loaded_at: now,
            fresh_until,
            stale_until: fresh_until.saturating_add(window),
            early_from: AtomicI64::new(early_from),
            no_load_before: AtomicI64::new(i64::MIN),
            refresh_wanted: AtomicBool::new(false),
            cost,
            ends_with_l2,
            variants_max: variants_max(self.options.keep_compressed, bytes),
            variants: OnceLock::new(),
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.0.name).finish_non_exhaustive()
    }
}
