//! Two caches in one process, with nothing in common but a Redis, race updates and loads over a small authoritative store:
//! no caller reads his own write old, and none reads anything old past the bound. `pando/tests/it/races.rs` races three real
//! processes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pando_cache::{Cache, CacheOptions, Loaded};
use pando_resilience::Call;
use pando_servers::Redis;

use crate::{Process, call, hasty, redis_at, until};

const KEYS: usize = 16;
const TASKS: usize = 8;

/// Without lost messages, an update is everywhere as soon as the bus has carried it. On a machine with too much to do
/// that is when this process gets its turn, and an invalidation may need a second try.
const BOUND: Duration = Duration::from_secs(3);

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
    stop: AtomicBool,
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

/// Races for so many steps, or until it is told to stop.
async fn race(caches: [Cache; 2], store: Arc<Store>, found: Arc<Found>, steps: usize, through: bool) {
    let [cache, other] = caches;
    for step in 0..steps {
        if found.stop.load(Ordering::Relaxed) {
            return;
        }
        let key = fastrand::usize(..KEYS);
        let name = [u8::try_from(key).unwrap()];
        if step % 10 == 0 {
            let ticket = cache.ticket(&name);
            let (version, position) = store.update(key);
            if through {
                cache.put(ticket, &name, Loaded::new(version, version.to_string()), position).await;
            } else {
                cache.invalidate(&name, version, Some(position)).await;
            }
            // The token leads to the own write in either cache.
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
        // A hit never waits, and the bus needs its turn.
        tokio::task::yield_now().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the long form is asked for from outside")]
fn is_long() -> bool {
    std::env::var("PANDO_PROVE").is_ok_and(|it| it == "1")
}

fn operations() -> usize {
    if is_long() { 1_000_000 } else { 20_000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_caches_race_and_nobody_reads_anything_old() {
    let server = Redis::start(&[]);
    let redis = redis_at(&server.url());
    let options = lasting();
    let (one, two) = (Process::on(&redis, options.clone()).await, Process::on(&redis, options).await);
    let (store, found) = (Arc::new(Store::default()), Arc::new(Found::default()));
    let steps = operations() / TASKS;
    for racer in join_all(racers([&one, &two], &store, &found, steps)).await {
        racer.unwrap();
    }
    assert_eq!(found.reads.load(Ordering::Relaxed), steps * TASKS);
    let oldest = Duration::from_micros(found.oldest_micros.load(Ordering::Relaxed));
    eprintln!("{} reads, the oldest value was old for {oldest:?}", steps * TASKS);
    assert_eq!(found.own_writes_read_old.load(Ordering::Relaxed), 0, "own writes read old");
    // The short form runs on machines that do much else meanwhile; what is old for good it finds below.
    if is_long() {
        assert_eq!(found.old_past_the_bound.load(Ordering::Relaxed), 0, "old past the bound");
    }
    both_agree_with([&one, &two], &store).await;
    let hits = one.count(r#"cache_hits_total{cache="things",tier="l1"}"#);
    assert!(hits > 0, "the race was about a cache");
}

/// Long TTLs: what ends an entry here is the update and nothing else. And patience: a busy machine is no failure.
fn lasting() -> CacheOptions {
    CacheOptions { l1_ttl_ms: 600_000, load_hard_ms: 20_000, wait_ms: 20_000, ..CacheOptions::default() }
}

fn racers(
    [one, two]: [&Process; 2],
    store: &Arc<Store>,
    found: &Arc<Found>,
    steps: usize,
) -> Vec<tokio::task::JoinHandle<()>> {
    let racers = (0..TASKS).map(|task| {
        let (near, far) = if task % 2 == 0 { (one, two) } else { (two, one) };
        let caches = [near.cache.clone(), far.cache.clone()];
        let work = race(caches, Arc::clone(store), Arc::clone(found), steps, task % 4 < 2);
        pando_telemetry::spawn("test.racer", work)
    });
    racers.collect()
}

/// When the bus has fallen silent, both agree with the truth, for good.
async fn both_agree_with(processes: [&Process; 2], store: &Arc<Store>) {
    for _ in 0..2 {
        for process in processes {
            for key in 0..KEYS {
                until("it agrees", async || read(&process.cache, store, key, None).await == store.read(key))
                    .await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_comes_and_goes_under_the_race_and_nothing_old_survives() {
    let server = Redis::start(&[]);
    let redis = hasty(redis_at(&server.url()));
    let options = lasting();
    let (one, two) = (Process::on(&redis, options.clone()).await, Process::on(&redis, options).await);
    let (store, found) = (Arc::new(Store::default()), Arc::new(Found::default()));
    let racers = racers([&one, &two], &store, &found, usize::MAX);
    for round in 0..if is_long() { 40 } else { 4 } {
        match round % 2 {
            0 => server.kill(),
            _ => server.pause(),
        }
        one.until_up(false).await;
        two.until_up(false).await;
        match round % 2 {
            0 => server.resurrect(),
            _ => server.resume(),
        }
        one.until_up(true).await;
        two.until_up(true).await;
    }
    found.stop.store(true, Ordering::Relaxed);
    for racer in join_all(racers).await {
        racer.unwrap();
    }
    eprintln!("{} reads while redis came and went", found.reads.load(Ordering::Relaxed));
    assert_eq!(found.own_writes_read_old.load(Ordering::Relaxed), 0, "own writes read old");
    both_agree_with([&one, &two], &store).await;
}
