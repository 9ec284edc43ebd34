//! Two processes race updates and loads on one Redis, over a small authoritative store: nobody reads his own write old,
//! and nobody reads anything old past the bound.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pando_cache::{Cache, CacheOptions, Loaded};
use pando_resilience::Call;
use pando_servers::Redis;

use crate::{Process, call, redis_at, until};

const KEYS: usize = 16;
const TASKS: usize = 8;

/// Without lost messages, an update is everywhere as soon as the bus has carried it.
const BOUND: Duration = Duration::from_millis(500);

/// The truth: for each key its version, and since when each was current. Its log has one position a write.
#[derive(Default)]
struct Store {
    rows: [AtomicI64; KEYS],
    log: AtomicU64,
    changed: [std::sync::Mutex<Vec<Instant>>; KEYS],
}

impl Store {
    /// The new version, and the position of the commit.
    fn update(&self, key: usize) -> (i64, u64) {
        let mut changed = self.changed[key].lock().unwrap();
        changed.push(Instant::now());
        let version = self.rows[key].fetch_add(1, Ordering::SeqCst) + 1;
        (version, self.log.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn read(&self, key: usize) -> i64 {
        self.rows[key].load(Ordering::SeqCst)
    }

    /// For how long this version of the key has not been the current one.
    fn old_for(&self, key: usize, version: i64) -> Duration {
        let changed = self.changed[key].lock().unwrap();
        let next = usize::try_from(version).unwrap();
        changed.get(next).map_or(Duration::ZERO, Instant::elapsed)
    }
}

#[derive(Default)]
struct Found {
    reads: AtomicUsize,
    own_writes_read_old: AtomicUsize,
    old_past_the_bound: AtomicUsize,
    oldest_micros: AtomicU64,
}

async fn read(cache: &Cache, store: &Arc<Store>, key: usize, at_least: Option<u64>) -> i64 {
    let truth = Arc::clone(store);
    let load = async move |_: Call| {
        let version = truth.read(key);
        if version % 3 == 0 {
            // Some loads are slow between reading and answering: that is when the others overtake them.
            tokio::task::yield_now().await;
        }
        Ok::<_, Infallible>(Some(Loaded::new(version, version.to_string())))
    };
    let found = cache.get_or_load(&call(), &[u8::try_from(key).unwrap()], at_least, load).await;
    found.unwrap().unwrap().version()
}

async fn race(caches: [Cache; 2], store: Arc<Store>, found: Arc<Found>, steps: usize, through: bool) {
    let [cache, other] = caches;
    for step in 0..steps {
        let key = fastrand::usize(..KEYS);
        let name = [u8::try_from(key).unwrap()];
        if step % 10 == 0 {
            let ticket = cache.ticket(&name);
            let (version, position) = store.update(key);
            if through {
                cache.put(ticket, &name, Loaded::new(version, version.to_string()), position).await;
            } else {
                cache.invalidate(&name, version, position).await;
            }
            // The token leads to the own write in every process.
            let anywhere = if step % 20 == 0 { &cache } else { &other };
            if read(anywhere, &store, key, Some(position)).await < version {
                found.own_writes_read_old.fetch_add(1, Ordering::Relaxed);
            }
        }
        let asked = Instant::now();
        let version = read(&cache, &store, key, None).await;
        // How old it was when it was asked for, not when this task came to look.
        let old_for = store.old_for(key, version).saturating_sub(asked.elapsed());
        found.oldest_micros.fetch_max(u64::try_from(old_for.as_micros()).unwrap(), Ordering::Relaxed);
        if old_for > BOUND {
            found.old_past_the_bound.fetch_add(1, Ordering::Relaxed);
        }
        found.reads.fetch_add(1, Ordering::Relaxed);
    }
}

#[expect(clippy::disallowed_methods, reason = "the long form is asked for from outside")]
fn operations() -> usize {
    if std::env::var("PANDO_PROVE").is_ok_and(|it| it == "1") { 1_000_000 } else { 20_000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_race_and_nobody_reads_anything_old() {
    let server = Redis::start(&[]);
    let redis = redis_at(&server.url());
    // Long TTLs: what ends an entry here is the update and nothing else.
    let options = CacheOptions { l1_ttl_ms: 600_000, ..CacheOptions::default() };
    let (one, two) = (Process::on(&redis, options.clone()).await, Process::on(&redis, options).await);
    let (store, found) = (Arc::new(Store::default()), Arc::new(Found::default()));
    let steps = operations() / TASKS;
    let racers = (0..TASKS).map(|task| {
        let (near, far) = if task % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let work =
            race([near.cache.clone(), far.cache.clone()], store.clone(), found.clone(), steps, task % 4 < 2);
        pando_telemetry::spawn("test.racer", work)
    });
    for racer in join_all(racers.collect::<Vec<_>>()).await {
        racer.unwrap();
    }
    assert_eq!(found.reads.load(Ordering::Relaxed), steps * TASKS);
    let oldest = Duration::from_micros(found.oldest_micros.load(Ordering::Relaxed));
    eprintln!("{} reads, the oldest value was old for {oldest:?}", steps * TASKS);
    assert_eq!(found.own_writes_read_old.load(Ordering::Relaxed), 0, "own writes read old");
    assert_eq!(found.old_past_the_bound.load(Ordering::Relaxed), 0, "old past the bound");
    // When the bus has fallen silent, both agree with the truth, for good.
    for process in [&one, &two] {
        for key in 0..KEYS {
            until("it agrees", async || read(&process.cache, &store, key, None).await == store.read(key))
                .await;
        }
    }
    let hits = one.count(r#"cache_hits_total{cache="things",tier="l1"}"#);
    assert!(hits > 0, "the race was about a cache");
}
