//! A thousand readers miss the same key at once, and one load serves all of them.
//!
//! `cargo run -p pando-cache --example stampede`

#![expect(clippy::print_stdout, reason = "it shows what happened")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pando_cache::{CacheOptions, Caches, Loaded, RedisOptions};
use pando_clock::Clock;
use pando_resilience::Call;
use pando_telemetry::Metrics;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let caches = Caches::open(&RedisOptions::default(), &Metrics::new(), &Clock::system()).await?;
    for (name, single_flight) in [("with_single_flight", true), ("without", false)] {
        let cache = caches.cache(name, CacheOptions { single_flight, ..CacheOptions::default() })?;
        let loads = Arc::new(AtomicUsize::new(0));
        let readers = (0..1_000).map(|_| {
            let (cache, loads) = (cache.clone(), Arc::clone(&loads));
            async move {
                let call = Call::internal("reader", Duration::from_secs(1));
                let load = async move |_| {
                    loads.fetch_add(1, Ordering::Relaxed);
                    // The database, thinking.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Ok::<_, Infallible>(Some(Loaded::new(1, "the page everybody wants")))
                };
                cache.get_or_load(&call, b"front page", None, load).await.is_ok()
            }
        });
        let answered = join_all(readers).await.into_iter().filter(|answered| *answered).count();
        println!("{name}: {answered} readers, {} loads", loads.load(Ordering::Relaxed));
    }
    Ok(())
}
