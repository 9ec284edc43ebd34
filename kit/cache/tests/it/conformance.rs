//! The suite, on everything a cache can be.

use pando_cache::{CacheOptions, Policy, conformance};
use pando_servers::Redis;

use crate::{Alone, Process, redis_at};

fn kinds() -> Vec<CacheOptions> {
    let defaults = CacheOptions::default();
    vec![
        defaults.clone(),
        CacheOptions { policy: Policy::Lru, ..defaults.clone() },
        CacheOptions { policy: Policy::Fifo, entries_max: 10, ..defaults.clone() },
        CacheOptions { l1: false, ..defaults.clone() },
        CacheOptions { negative_ttl_ms: 0, stale_window_ms: 0, jitter_percent: 0, ..defaults },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_holds_in_one_process() {
    for options in kinds() {
        conformance::exercise(&Alone::with(options).await.cache).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_holds_with_redis() {
    for options in kinds() {
        let process = Process::on(&redis_at(&Redis::shared().url()), options).await;
        conformance::exercise(&process.cache).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_holds_while_redis_is_down() {
    let server = Redis::start(&[]);
    server.kill();
    for options in kinds() {
        let process = Process::opened(&redis_at(&server.url()), options).await;
        conformance::exercise(&process.cache).await;
    }
}
