//! The cost of a hit, beside a plain sharded map. The fastest of many short rounds counts, because other work on the
//! machine disturbs the slower ones.
//!
//! `cargo run --release -p pando-cache --example hit_cost`

#![expect(clippy::print_stdout, reason = "it shows what it measured")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pando_cache::{Cache, CacheOptions, Caches, Loaded, Policy, RedisOptions};
use pando_clock::Clock;
use pando_resilience::Call;
use pando_telemetry::Metrics;

const KEYS: usize = 10_000;
const LOOKUPS: usize = 200_000;
const ROUNDS: usize = 40;

/// Sixteen maps behind sixteen locks: as simple as a shared map gets.
struct Sharded {
    hasher: RandomState,
    shards: Vec<RwLock<HashMap<Vec<u8>, Arc<Bytes>>>>,
}

impl Sharded {
    fn get(&self, key: &[u8]) -> Option<Arc<Bytes>> {
        let shard = self.hasher.hash_one(key) % 16;
        self.shards[usize::try_from(shard).ok()?].read().ok()?.get(key).cloned()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let keys: Vec<Vec<u8>> = (0..KEYS).map(|number| format!("profile:{number:032}").into_bytes()).collect();
    // A fixed shuffle, heavy at the front, as requests are.
    let order: Vec<usize> =
        (0..LOOKUPS).map(|it| (it * 7_919 % KEYS) * (it * 104_729 % KEYS) / KEYS).collect();
    let sharded =
        Sharded { hasher: RandomState::new(), shards: (0..16).map(|_| RwLock::default()).collect() };
    for key in &keys {
        let shard = usize::try_from(sharded.hasher.hash_one(key.as_slice()) % 16)?;
        sharded.shards[shard]
            .write()
            .map_err(|_| "poisoned")?
            .insert(key.clone(), Arc::new(Bytes::from_static(b"x")));
    }
    let fifo = runtime.block_on(filled("s3fifo", Policy::S3Fifo, &keys))?;
    let lru = runtime.block_on(filled("lru", Policy::Lru, &keys))?;
    let empty = runtime.block_on(filled("empty", Policy::S3Fifo, &[]))?;
    for threads in [1, 2] {
        let mut best = [f64::MAX; 3];
        for _ in 0..ROUNDS {
            // In turn, so that all have the same weather.
            best[0] = best[0].min(run(threads, &order, &|place| sharded.get(&keys[place]).is_some()));
            best[1] = best[1].min(run(threads, &order, &|place| fifo.peek(&keys[place], None).is_some()));
            best[2] = best[2].min(run(threads, &order, &|place| lru.peek(&keys[place], None).is_some()));
        }
        let [map, fifo, lru] = best;
        println!(
            "{threads} thread(s): sharded map {map:.0} ns, peek s3fifo {fifo:.0} ns, peek lru {lru:.0} ns"
        );
    }
    let call = Call::internal("cost", Duration::from_secs(3_600));
    let (mut hit, mut miss) = (f64::MAX, f64::MAX);
    for round in 0..ROUNDS {
        let started = Instant::now();
        runtime.block_on(async {
            for place in &order {
                let load = async |_: Call| Ok::<_, Infallible>(Some(Loaded::new(1, "x")));
                let _ = black_box(fifo.get_or_load(&call, &keys[*place], None, load).await);
            }
        });
        hit = hit.min(each(started));
        let started = Instant::now();
        runtime.block_on(async {
            for number in 0..LOOKUPS {
                let load = async |_: Call| Ok::<_, Infallible>(Some(Loaded::new(1, "x")));
                let _ = black_box(
                    empty.get_or_load(&call, &(round * LOOKUPS + number).to_be_bytes(), None, load).await,
                );
            }
        });
        miss = miss.min(each(started));
    }
    println!("get_or_load: a hit {hit:.0} ns, a miss with its fill {miss:.0} ns");
    Ok(())
}

async fn filled(
    name: &'static str,
    policy: Policy,
    keys: &[Vec<u8>],
) -> Result<Cache, Box<dyn std::error::Error>> {
    let caches = Caches::open(&RedisOptions::default(), &Metrics::new(), &Clock::system()).await?;
    let cache = caches.cache(
        name,
        CacheOptions { policy, l1_ttl_ms: 3_600_000, l2_ttl_ms: 3_600_000, ..Default::default() },
    )?;
    for key in keys {
        let ticket = cache.ticket(key);
        cache.put(ticket, key, Loaded::new(1, Bytes::from_static(b"x")), 0).await;
    }
    Ok(cache)
}

/// Nanoseconds a look-up and thread.
fn run(threads: usize, order: &[usize], look_up: &(impl Fn(usize) -> bool + Sync)) -> f64 {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let (first, second) = order.split_at(thread * order.len() / 2);
                let found = second.iter().chain(first).filter(|place| look_up(**place)).count();
                assert_eq!(black_box(found), order.len());
            });
        }
    });
    each(started)
}

fn each(started: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds")]
    let each = started.elapsed().as_nanos() as f64 / LOOKUPS as f64;
    each
}
