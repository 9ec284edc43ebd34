//! A hot key at its expiry: one load at a time, and nobody waits for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pando_cache::{CacheOptions, Loaded, Source};
use pando_resilience::Call;

use crate::{Alone, call};

const LOAD: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_millis(1);
/// Some expiries long.
const TICKS: usize = 1_100;

/// The cache's clock goes with tokio's, which stands still while anybody works: only the draws of the early refreshes
/// are left to chance, and of those there are hundreds before each expiry.
#[tokio::test(start_paused = true)]
async fn at_its_expiry_a_hot_key_is_loaded_by_one_and_waited_for_by_nobody() {
    let alone = Alone::with(CacheOptions { l1_ttl_ms: 200, ..CacheOptions::default() }).await;
    let clock = alone.clock.clone();
    let ticking = pando_telemetry::spawn("test.clock", async move {
        loop {
            tokio::time::sleep(TICK).await;
            clock.advance(TICK);
        }
    });
    let (loads, at_once, most): (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
    let readers = (0..8).map(|_| {
        let (cache, loads) = (alone.cache.clone(), loads.clone());
        let (at_once, most) = (at_once.clone(), most.clone());
        pando_telemetry::spawn("test.reader", async move {
            let mut waited = 0;
            for _ in 0..TICKS {
                let (loads, at_once, most) = (loads.clone(), at_once.clone(), most.clone());
                let load = async move |_: Call| {
                    loads.fetch_add(1, Ordering::SeqCst);
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    // The database, thinking.
                    tokio::time::sleep(LOAD).await;
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    Ok::<_, Infallible>(Some(Loaded::new(1, "x")))
                };
                let found = cache.get_or_load(&call(), b"hot", None, load).await.unwrap().unwrap();
                waited += usize::from(found.source == Source::Origin);
                // Until the next tick.
                tokio::time::sleep(TICK).await;
            }
            waited
        })
    });
    let told = join_all(readers.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap);
    let waited: usize = told.sum();
    ticking.abort();
    assert_eq!(most.load(Ordering::SeqCst), 1, "one load at a time");
    assert_eq!(waited, 8, "but for the very first load, which all eight wait for");
    assert!(loads.load(Ordering::SeqCst) > 4, "it did expire");
}
