//! The caches of one platform, and what they share.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use pando_clock::Clock;
use pando_telemetry::Metrics;
use tokio::task::JoinHandle;

use crate::cache::Inner;
use crate::lock::{Mutex, lock};
use crate::{Cache, CacheError, CacheOptions, RedisOptions};

/// How often entries that nobody can use any more are let go.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// The caches of one platform, and what they share: Redis, the bus, the metrics. Cloning shares it.
#[derive(Clone)]
pub struct Caches(Arc<Shared>);

struct Shared {
    metrics: Metrics,
    clock: Clock,
    caches: Arc<Mutex<Vec<Weak<Inner>>>>,
    names: Mutex<HashSet<&'static str>>,
    sweeper: JoinHandle<()>,
}

impl Caches {
    /// Begins. A Redis that is down is no error: the caches start without it, and use it when it is there.
    pub async fn open(redis: &RedisOptions, metrics: &Metrics, clock: &Clock) -> Result<Self, CacheError> {
        redis.check()?;
        let caches = Arc::<Mutex<Vec<Weak<Inner>>>>::default();
        let sweeper = pando_telemetry::spawn("cache.sweeper", sweep(Arc::clone(&caches)));
        let shared = Shared {
            metrics: metrics.clone(),
            clock: clock.clone(),
            caches,
            names: Mutex::default(),
            sweeper,
        };
        Ok(Self(Arc::new(shared)))
    }

    /// A cache under a name of its own; settings that contradict each other are told in the log.
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
        let cache = Cache::new(name, options, &self.0.metrics, &self.0.clock);
        lock(&self.0.caches).push(Arc::downgrade(&cache.0));
        Ok(cache)
    }

    /// The cache of this name, if somebody still holds it.
    pub fn find(&self, name: &str) -> Option<Cache> {
        lock(&self.0.caches).iter().filter_map(Weak::upgrade).find(|cache| cache.name == name).map(Cache)
    }

    /// Every cache that somebody still holds.
    pub fn all(&self) -> Vec<Cache> {
        lock(&self.0.caches).iter().filter_map(Weak::upgrade).map(Cache).collect()
    }

    /// Ends what runs behind. The caches go on for those who still hold them, each for itself.
    pub async fn close(&self) {
        self.0.sweeper.abort();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.sweeper.abort();
    }
}

async fn sweep(caches: Arc<Mutex<Vec<Weak<Inner>>>>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        let living: Vec<_> = lock(&caches).iter().filter_map(Weak::upgrade).collect();
        for cache in living {
            cache.sweep();
            tokio::task::yield_now().await;
        }
    }
}
