//! Ten million distinct keys through an L1 of 64 MiB: measures by how much the process really grows.
//!
//! `cargo run --release -p pando-cache --example memory_bound [policy] [keys] [bytes of a value]`: one policy a run,
//! because memory that was given back to the allocator is not given back to the machine.

#![expect(clippy::print_stdout, reason = "it shows what it measured")]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use pando_cache::{CacheOptions, Caches, Loaded, Policy, RedisOptions};
use pando_clock::Clock;
use pando_resilience::Call;
use pando_telemetry::Metrics;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let policy = match arguments.next().as_deref() {
        Some("lru") => Policy::Lru,
        Some("fifo") => Policy::Fifo,
        _ => Policy::S3Fifo,
    };
    let keys: u64 = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    let size: usize = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let caches = Caches::open(&RedisOptions::default(), &Metrics::new(), &Clock::system()).await?;
    // The sizes of real values: half of them small, some large; or all alike.
    let sizes: &[usize] = if size == 0 { &[20, 100, 100, 400, 1_500] } else { &[size] };
    let cache = caches.cache("things", CacheOptions { policy, ..CacheOptions::default() })?;
    let (before, started) = (resident_bytes()?, Instant::now());
    let call = Call::internal("memory", Duration::from_secs(3_600));
    let mut most = 0;
    for number in 0..keys {
        let body = vec![b'x'; sizes[usize::try_from(number)? % sizes.len()]];
        let load = async move |_: Call| Ok::<_, Infallible>(Some(Loaded::new(1, body)));
        let key = format!("profile:{number:032}");
        cache.get_or_load(&call, key.as_bytes(), None, load).await?;
        if number.is_multiple_of(3) {
            // Somebody reads it, and holds the bytes for a moment: that is when they become shared.
            let _held = cache.peek(key.as_bytes(), None).map(|found| found.bytes().clone());
        }
        if number.is_multiple_of(100_000) {
            most = most.max(resident_bytes()?.saturating_sub(before));
        }
    }
    let took = started.elapsed();
    let report = cache.report();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let mib = |bytes: usize| bytes as f64 / (1024.0 * 1024.0);
    println!(
        "{policy:?}: {keys} keys in {took:.1?}; grew by {:.1} MiB at most; holds {} entries, weighed {:.1} of {:.0} MiB",
        mib(most),
        report.entries,
        mib(report.bytes),
        mib(report.bytes_max),
    );
    Ok(())
}

fn resident_bytes() -> Result<usize, Box<dyn std::error::Error>> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident: usize = pages.split_whitespace().nth(1).ok_or("no statm")?.parse()?;
    Ok(resident * 4_096)
}
