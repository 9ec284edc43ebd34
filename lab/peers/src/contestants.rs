//! The caches that are compared, each with its own defaults, and the keys and values they hold.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use foyer_memory::EvictionConfig;
use pando_cache::{Cache, CacheOptions, Caches, Found, Loaded, Policy, RedisOptions};
use pando_clock::Clock;
use pando_resilience::Call;
use pando_telemetry::Metrics;

/// The size of a value: a small profile as JSON.
pub(crate) const VALUE_BYTES: usize = 512;
/// Longer than any run.
pub(crate) const LONG_MS: u64 = 24 * 60 * 60 * 1_000;
/// More than any of our entries weighs, so that the number of entries is the limit.
const ENTRY_BYTES: usize = 2_048;

pub(crate) type Foyer = foyer_memory::Cache<Vec<u8>, Bytes>;

/// The key of a number, as services write theirs.
pub(crate) fn key(number: u32) -> Vec<u8> {
    format!("profile:00000000-0000-7000-8000-{number:012}").into_bytes()
}

pub(crate) fn value() -> Bytes {
    Bytes::from(vec![b'x'; VALUE_BYTES])
}

/// Our cache, bounded by a number of entries, and nothing in it expires.
pub(crate) fn bounded(policy: Policy, entries: usize) -> CacheOptions {
    CacheOptions {
        policy,
        entries_max: entries,
        bytes_max: entries * ENTRY_BYTES,
        l1_ttl_ms: LONG_MS,
        l2_ttl_ms: LONG_MS,
        ..CacheOptions::default()
    }
}

/// Our cache, and what keeps it running.
pub(crate) struct Ours {
    pub(crate) cache: Cache,
    pub(crate) caches: Caches,
}

impl Ours {
    pub(crate) async fn open(options: CacheOptions, redis: &RedisOptions) -> Result<Self> {
        let caches = Caches::open(redis, &Metrics::new(), &Clock::system()).await?;
        let cache = caches.cache("peers", options)?;
        Ok(Self { cache, caches })
    }

    /// One without Redis.
    pub(crate) async fn alone(options: CacheOptions) -> Result<Self> {
        Self::open(options, &RedisOptions::default()).await
    }

    /// Reads through, with a load that takes no time.
    pub(crate) async fn read(&self, call: &Call, key: &[u8], value: &Bytes) -> Result<Found> {
        let value = value.clone();
        let load = async move |_: Call| Ok::<_, Infallible>(Some(Loaded::new(1, value)));
        self.cache.get_or_load(call, key, None, load).await?.context("it was loaded")
    }
}

/// A call with time enough for a whole run.
pub(crate) fn call() -> Call {
    Call::internal("peers", Duration::from_millis(LONG_MS))
}

pub(crate) fn foyer(entries: usize, policy: EvictionConfig) -> Foyer {
    foyer_memory::CacheBuilder::new(entries).with_eviction_config(policy).build()
}
