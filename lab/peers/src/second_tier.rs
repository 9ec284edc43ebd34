//! Hits in Redis: our cache without its first tier, and Redis's own load generator, on the same server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use pando_cache::{CacheOptions, RedisOptions, Secret, Source};
use pando_servers::Redis;
use tokio::process::Command;

use crate::contestants::{LONG_MS, Ours, VALUE_BYTES, call, key, value};
use crate::report::Report;

/// As many that two readers seldom want the same at once: they would share one look.
const KEYS: u32 = 10_000;
pub(crate) const AT_ONCE: usize = 64;

pub(crate) async fn run(rounds: usize, seconds: u64, redis: &Redis, report: &mut Report) -> Result<()> {
    let options = CacheOptions { l1: false, l2_ttl_ms: LONG_MS, ..CacheOptions::default() };
    let ours = Arc::new(open(options, redis).await?);
    for number in 0..KEYS {
        until_shared(&ours, number).await?;
    }
    let space = KEYS.to_string();
    // Twenty times as many as there are keys: one that was never drawn is one in a billion.
    let fill = ["-t", "set", "-r", &space, "-n", "200000", "-P", "64"];
    ask_benchmark(redis, &fill).await?;
    let (mut rates, mut limits) = (Vec::new(), Vec::new());
    let mut requests = 100_000.0;
    for round in 0..rounds {
        eprintln!("  round {} of {rounds}", round + 1);
        for first in [round % 2 == 0, round % 2 == 1] {
            if first {
                rates.push(hits(&ours, Duration::from_secs(seconds)).await?);
            } else {
                let number = format!("{requests:.0}");
                let limit =
                    ask_benchmark(redis, &["-t", "get", "-r", &space, "-n", &number, "-P", "1"]).await?;
                #[expect(clippy::cast_precision_loss, reason = "seconds of one measurement")]
                let wanted = limit * seconds as f64;
                requests = wanted;
                limits.push(limit);
            }
        }
    }
    report.compare("L2 hit / redis-benchmark -P 1 -c 64 -t get", &rates, &limits, "requests/s", None);
    Ok(())
}

/// One that has found its Redis. It is patient: the load takes every processor there is, and a measurement that others
/// delay must not become one of a cache that gave Redis up.
pub(crate) async fn open(options: CacheOptions, redis: &Redis) -> Result<Ours> {
    let url = Some(Secret::new(redis.url()));
    let redis =
        RedisOptions { url, soft_timeout_ms: 2_000, hard_timeout_ms: 2_000, ..RedisOptions::default() };
    let ours = Ours::open(options, &redis).await?;
    let until = Instant::now() + Duration::from_secs(10);
    while !ours.caches.health().is_some_and(|health| health.up) {
        ensure!(Instant::now() < until, "Redis was not found");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(ours)
}

/// Reads until Redis has it.
async fn until_shared(ours: &Ours, number: u32) -> Result<()> {
    let (call, value) = (call(), value());
    let until = Instant::now() + Duration::from_secs(10);
    while ours.read(&call, &key(number), &value).await?.source != Source::L2 {
        ensure!(Instant::now() < until, "Redis does not keep what is loaded");
    }
    Ok(())
}

/// Hits per second.
async fn hits(ours: &Arc<Ours>, time: Duration) -> Result<f64> {
    let (done, hits, others) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let readers = (0..AT_ONCE).map(|_| {
        let (ours, done) = (Arc::clone(ours), Arc::clone(&done));
        let (hits, others) = (Arc::clone(&hits), Arc::clone(&others));
        pando_telemetry::spawn("peers.read", async move {
            let (call, value) = (call(), value());
            while !done.load(Ordering::Relaxed) {
                let found = ours.read(&call, &key(fastrand::u32(..KEYS)), &value).await?;
                let counter = if found.source == Source::L2 { &hits } else { &others };
                counter.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        })
    });
    let readers: Vec<_> = readers.collect();
    tokio::time::sleep(time).await;
    done.store(true, Ordering::Relaxed);
    for reader in join_all(readers).await {
        reader??;
    }
    let (hits, others) = (hits.load(Ordering::Relaxed), others.load(Ordering::Relaxed));
    // A read that joins another's look counts as a hit, one that is early for its refresh does not.
    ensure!(others * 100 < hits, "{others} of {} reads were not answered by Redis", hits + others);
    Ok(crate::count(hits) / begun.elapsed().as_secs_f64())
}

/// Requests per second, as Redis's own load generator counts them.
async fn ask_benchmark(redis: &Redis, arguments: &[&str]) -> Result<f64> {
    let (port, size, clients) = (redis.port().to_string(), VALUE_BYTES.to_string(), AT_ONCE.to_string());
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "-p", &port, "-c", &clients, "-d", &size, "--csv"]).args(arguments);
    let answer = command.output().await.context("redis-benchmark cannot be run: scripts/setup bench")?;
    let text = String::from_utf8_lossy(&answer.stdout);
    // A heading, and one line: "GET","123456.78",…
    let rate = text.lines().last().and_then(|line| line.split('"').nth(3)?.parse().ok());
    rate.with_context(|| format!("redis-benchmark said: {text}"))
}
