//! A hot key at its expiry: one load at a time, and nobody waits for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pando_cache::{CacheOptions, Loaded, Source};
use pando_resilience::Call;

use crate::{Process, call, redis_at};

const LOAD: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_its_expiry_a_hot_key_is_loaded_by_one_and_waited_for_by_nobody() {
    let options = CacheOptions { l1_ttl_ms: 200, l2: false, ..CacheOptions::default() };
    let process = Process::opened(&redis_at("redis://127.0.0.1:1"), options).await;
    let (loads, at_once, most) = Default::default();
    let (loads, at_once, most): (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>) =
        (loads, at_once, most);
    let until = Instant::now() + Duration::from_millis(1_100);
    let readers = (0..8).map(|_| {
        let (cache, loads) = (process.cache.clone(), loads.clone());
        let (at_once, most) = (at_once.clone(), most.clone());
        pando_telemetry::spawn("test.reader", async move {
            let (mut waited, mut reads) = (0, 0);
            while Instant::now() < until {
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
                reads += 1;
                tokio::task::yield_now().await;
            }
            (waited, reads)
        })
    });
    let told = join_all(readers.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap);
    let (waited, reads) = told.fold((0, 0), |(waited, reads), one| (waited + one.0, reads + one.1));
    let loads = loads.load(Ordering::SeqCst);
    eprintln!("{reads} reads, {loads} loads, {waited} waited");
    assert_eq!(most.load(Ordering::SeqCst), 1, "one load at a time");
    // The very first load has to be waited for by all eight.
    assert!(waited <= 8, "{waited} of {reads} reads waited for a load");
    assert!(loads > 1, "it did expire");
}
