//! Measures how many values a second come from Redis, with the first tier off.
//!
//! `cargo run --release -p pando-cache --example redis_hits redis://127.0.0.1:6379`, beside
//! `redis-benchmark -P 1 -c 64 -d 500 -t get` on the same server.

#![expect(clippy::print_stdout, reason = "it shows what it measured")]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pando_cache::{CacheOptions, Caches, Loaded, RedisOptions, Secret};
use pando_clock::Clock;
use pando_resilience::Call;
use pando_telemetry::Metrics;

const KEYS: u32 = 10_000;
const READERS: u32 = 64;
const EACH: u32 = 4_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("the address of a Redis is missing")?;
    let redis =
        RedisOptions { url: Some(Secret::new(url)), key_prefix: "rate".to_owned(), ..Default::default() };
    let metrics = Metrics::new();
    let caches = Caches::open(&redis, &metrics, &Clock::system()).await?;
    while !caches.health().is_some_and(|health| health.up) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let cache = caches.cache("rate", CacheOptions { l1: false, ..CacheOptions::default() })?;
    for number in 0..KEYS {
        let key = number.to_be_bytes();
        let ticket = cache.ticket(&key);
        cache.put(ticket, &key, Loaded::new(1, vec![b'x'; 500]), 0).await;
    }
    let started = Instant::now();
    let readers = (0..READERS).map(|reader| {
        let cache = cache.clone();
        pando_telemetry::spawn("reader", async move {
            let call = Call::internal("rate", Duration::from_secs(600));
            for step in 0..EACH {
                let key = ((reader * 7_919 + step * 104_729) % KEYS).to_be_bytes();
                let load = async |_| Ok::<_, Infallible>(Some(Loaded::new(1, "from the origin")));
                if cache.get_or_load(&call, &key, None, load).await.is_err() {
                    return;
                }
            }
        })
    });
    join_all(readers.collect::<Vec<_>>()).await;
    let (reads, took) = (f64::from(READERS * EACH), started.elapsed());
    let report = cache.report();
    println!(
        "{:.0} reads a second; {} from Redis, {} loaded",
        reads / took.as_secs_f64(),
        report.hits_l2,
        report.loads
    );
    Ok(())
}
