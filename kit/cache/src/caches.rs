//! All caches of one platform, and the connection to Redis that they share.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use pando_clock::Clock;
use pando_telemetry::Metrics;
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::cache::Inner;
use crate::events::SilenceStamps;
use crate::l2::{Invalidation, Kind, Link, Message};
use crate::lock::{Mutex, lock};
use crate::{Cache, CacheError, CacheOptions, RedisOptions};

/// How often entries that no caller can use any more are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// The caches of one platform, and what they share: Redis, the bus, the metrics. Cloning shares it.
#[derive(Clone)]
pub struct Caches(Arc<Shared>);

struct Shared {
    metrics: Metrics,
    clock: Clock,
    caches: Registry,
    names: Mutex<HashSet<&'static str>>,
    link: Option<Arc<Link>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Whether Redis is there, for `/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct L2Health {
    /// Redis answers, and this process receives the invalidations of other processes.
    pub up: bool,
    /// So many invalidations wait for it.
    pub queued_invalidations: usize,
    /// Why the last attempt to connect failed; none if it is up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The caches that somebody still holds.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Vec<Weak<Inner>>>>);

impl Caches {
    /// Begins. A Redis that is down is no error: the caches start without it, and use it when it is there.
    pub async fn open(redis: &RedisOptions, metrics: &Metrics, clock: &Clock) -> Result<Self, CacheError> {
        redis.check()?;
        let caches = Registry::default();
        let mut tasks = vec![pando_telemetry::spawn("cache.sweeper", sweep(caches.clone()))];
        let link = redis.configured().then(|| Link::new(redis, caches.clone())).transpose()?;
        if let Some(link) = &link {
            tasks.push(pando_telemetry::spawn("cache.redis", Arc::clone(link).supervise()));
        }
        let (metrics, clock) = (metrics.clone(), clock.clone());
        Ok(Self(Arc::new(Shared { metrics, clock, caches, names: Mutex::default(), link, tasks })))
    }

    /// Makes a cache under a name of its own; the log warns of settings that contradict each other.
    pub fn cache(&self, name: &'static str, options: CacheOptions) -> Result<Cache, CacheError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || !name.bytes().all(fits) {
            return Err(CacheError::BadName(name));
        }
        for warning in options.check()? {
            tracing::warn!(cache.name = name, "{warning}");
        }
        if !lock(&self.0.names).insert(name) {
            return Err(CacheError::NameTaken(name));
        }
        self.check_tombstones(&options)?;
        let cache = Cache::new(name, options, &self.0.metrics, &self.0.clock, self.0.link.as_ref());
        if let Some(link) = &self.0.link {
            cache.0.hear_of_silence(link.silence());
        }
        lock(&self.0.caches.0).push(Arc::downgrade(&cache.0));
        Ok(cache)
    }

    /// The cache of this name, if somebody still holds it.
    pub fn find(&self, name: &str) -> Option<Cache> {
        self.0.caches.all().into_iter().find(|cache| cache.name == name).map(Cache)
    }

    /// Every cache that somebody still holds.
    pub fn all(&self) -> Vec<Cache> {
        self.0.caches.all().into_iter().map(Cache).collect()
    }

    /// Ends what runs behind. The caches go on for those who still hold them, each for itself.
    pub async fn close(&self) {
        if let Some(queued) =
            self.health().map(|health| health.queued_invalidations).filter(|queued| *queued > 0)
        {
            tracing::warn!(
                queued,
                "invalidations that redis did not receive are lost: within seconds the other processes stop trusting its entries"
            );
        }
        if let Some(link) = &self.0.link {
            link.farewell().await;
        }
        self.0.stop();
    }

    /// Whether Redis is connected; `None` if no Redis is configured.
    pub fn health(&self) -> Option<L2Health> {
        let link = self.0.link.as_ref()?;
        Some(L2Health { up: link.is_up(), queued_invalidations: link.pending_len(), reason: link.reason() })
    }

    /// A tombstone that ends before a load does would let its old value in.
    fn check_tombstones(&self, options: &CacheOptions) -> Result<(), CacheError> {
        let Some(link) = self.0.link.as_ref().filter(|_| options.l2) else { return Ok(()) };
        let needed = options.load_hard_ms.saturating_mul(2);
        if link.tombstone_ms() >= needed {
            return Ok(());
        }
        let reason = format!("{} is less than twice load_hard_ms, {needed}", link.tombstone_ms());
        Err(CacheError::BadSetting { setting: "tombstone_ms", reason })
    }
}

impl Shared {
    fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(link) = &self.link {
            link.go_down();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Registry {
    pub(crate) fn all(&self) -> Vec<Arc<Inner>> {
        let mut caches = lock(&self.0);
        caches.retain(|cache| cache.strong_count() > 0);
        caches.iter().filter_map(Weak::upgrade).collect()
    }

    fn of(&self, name: &str) -> Option<Arc<Inner>> {
        lock(&self.0).iter().filter_map(Weak::upgrade).find(|cache| cache.name == name)
    }

    /// For how long anything of any cache stays in Redis: stamps must outlive that.
    pub(crate) fn longest_life_ms(&self) -> u64 {
        let life = |cache: &Arc<Inner>| cache.options.l2_ttl_ms.saturating_add(cache.options.stale_window_ms);
        // With room for jitter, and never too short for the caches of other processes.
        self.all().iter().map(life).max().unwrap_or(0).saturating_mul(2).max(24 * 60 * 60 * 1_000)
    }

    /// This process did not listen for a while, so entries that were loaded before may be old.
    pub(crate) fn missed_messages(&self, listened_before: bool) {
        for cache in self.all() {
            cache.tags.expire_all();
            if listened_before {
                cache.meters.bus_lost.inc();
            }
        }
    }

    /// Processes died whose last writes may not have been announced.
    pub(crate) fn hear_of_silence(&self, stamps: SilenceStamps) {
        self.all().iter().for_each(|cache| cache.hear_of_silence(stamps));
    }

    /// The caches that learn of every write from events, by name.
    pub(crate) fn knowing_events(&self) -> String {
        let all = self.all();
        let mut names: Vec<&str> =
            all.iter().filter(|cache| cache.knows_events()).map(|cache| cache.name).collect();
        names.sort_unstable();
        names.join(" ")
    }

    /// An invalidation reached Redis, later than it was meant to.
    pub(crate) fn sent(&self, invalidation: &Invalidation, stamp: i64) {
        if let Some(cache) = self.of(invalidation.cache) {
            cache.meters.bus_sent.inc();
            if let Some(remote) = &cache.remote {
                remote.stamped(invalidation.kind, &invalidation.name, stamp);
            }
        }
    }

    /// The invalidations that expire everything.
    pub(crate) fn everything(&self) -> Vec<Invalidation> {
        let expire = |cache: &Arc<Inner>| Invalidation {
            cache: cache.name,
            kind: Kind::Expire,
            name: Bytes::new(),
            version: 0,
            position: 0,
        };
        self.all().iter().filter(|cache| cache.remote.is_some()).map(expire).collect()
    }

    /// Another process said something.
    pub(crate) fn hear(&self, message: &Message) {
        if let Some(cache) = self.of(&message.cache) {
            cache.hear(message);
        }
    }
}

async fn sweep(caches: Registry) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        for cache in caches.all() {
            // A look at every entry, under locks: not on a thread that serves. One that panicked is tried again.
            let _ = tokio::task::spawn_blocking(move || cache.sweep()).await;
        }
    }
}
