//! A slow reader holds an old row while a write overtakes it: the old row does not come back.
//!
//! `cargo run -p pando-cache --example fence`

#![expect(clippy::print_stdout, reason = "it shows what happened")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use pando_cache::{CacheOptions, Caches, Loaded, RedisOptions};
use pando_clock::Clock;
use pando_resilience::Call;
use pando_telemetry::Metrics;
use tokio::sync::Notify;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let caches = Caches::open(&RedisOptions::default(), &Metrics::new(), &Clock::system()).await?;
    let cache = caches.cache("profile", CacheOptions::default())?;
    let call = Call::internal("example", Duration::from_secs(1));
    let (has_read, may_answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));

    // 1. A reader misses, reads version 1 from the database, and is held up.
    let (read, answer) = (Arc::clone(&has_read), Arc::clone(&may_answer));
    let slow = cache.get_or_load(&call, b"ada", None, async move |_| {
        read.notify_one();
        answer.notified().await;
        Ok::<_, Infallible>(Some(Loaded::new(1, "Ada, at the old address")))
    });
    // 2. Meanwhile somebody writes version 2, and says so.
    let write = async {
        has_read.notified().await;
        cache.invalidate(b"ada", 2, None).await;
        may_answer.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, write);
    println!("the slow reader got version {:?}: it had asked before the write", slow?.map(|it| it.version()));
    println!("the cache kept {:?}", cache.peek(b"ada", None).map(|it| it.version()));

    // 3. The next reader loads anew.
    let load = async |_| Ok::<_, Infallible>(Some(Loaded::new(2, "Ada, at the new address")));
    let found = cache.get_or_load(&call, b"ada", None, load).await?;
    println!("the next reader got version {:?}", found.map(|it| it.version()));
    Ok(())
}
