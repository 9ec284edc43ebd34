//! Pages of a list share one tag: a new row makes all of them invalid at once, without any search.
//!
//! `cargo run -p pando-cache --example tags`

#![expect(clippy::print_stdout, reason = "it shows what happened")]

use std::convert::Infallible;
use std::time::Duration;

use pando_cache::{Cache, CacheOptions, Caches, Loaded, RedisOptions, Source};
use pando_clock::Clock;
use pando_resilience::Call;
use pando_telemetry::Metrics;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let caches = Caches::open(&RedisOptions::default(), &Metrics::new(), &Clock::system()).await?;
    let cache = caches.cache("pages", CacheOptions::default())?;
    for page in 1..=3 {
        read(&cache, page).await?;
    }
    println!("read again: page 2 comes from {:?}", read(&cache, 2).await?);
    cache.invalidate_tag("profiles").await;
    println!("after a new profile: page 2 comes from {:?}", read(&cache, 2).await?);
    println!("and page 3 from {:?}", read(&cache, 3).await?);
    Ok(())
}

async fn read(cache: &Cache, page: u32) -> Result<Option<Source>, Box<dyn std::error::Error>> {
    let call = Call::internal("example", Duration::from_secs(1));
    let key = format!("page {page}");
    let load = async move |_| {
        let value = Loaded::new(0, format!("profiles of page {page}"));
        Ok::<_, Infallible>(Some(Loaded { tags: vec!["profiles".into()], ..value }))
    };
    Ok(cache.get_or_load(&call, key.as_bytes(), None, load).await?.map(|found| found.source))
}
