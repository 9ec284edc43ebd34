//! Reports for operators: what a cache holds and how it performs.

use serde::Serialize;

use crate::{Cache, HotKey, Policy};

/// How a cache does.
#[derive(Clone, Debug, Serialize)]
pub struct CacheReport {
    /// Its name.
    pub name: &'static str,
    /// Which entry gives way.
    pub policy: Policy,
    /// Entries of this process.
    pub entries: usize,
    /// As many may be here.
    pub entries_max: usize,
    /// Their bytes.
    pub bytes: usize,
    /// As many may be here.
    pub bytes_max: usize,
    /// The share of look-ups that this process answered, 0 to 1.
    pub hit_ratio: f64,
    /// Look-ups that this process answered.
    pub hits_l1: u64,
    /// Look-ups that this process could not answer.
    pub misses_l1: u64,
    /// Of those, what Redis answered.
    pub hits_l2: u64,
    /// Loads begun.
    pub loads: u64,
    /// Answers from expired entries.
    pub stale_hits: u64,
    /// The highest database position known.
    pub position: u64,
    /// The hottest keys, by a sample.
    pub hottest: Vec<HotKey>,
}

/// The entry that this process holds under one key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyReport {
    /// The version; none: it is known that there is no such thing.
    pub version: Option<i64>,
    /// The database was read at this position or later.
    pub position: u64,
    /// How many bytes the value has.
    pub bytes: usize,
    /// How long ago it was loaded.
    pub age_ms: i64,
    /// How long it is fresh yet; below 0: it may only stand in.
    pub fresh_ms: i64,
    /// How long it may stand in yet.
    pub stale_ms: i64,
    /// The tags that invalidate the entry, besides its key.
    pub tags: Vec<String>,
    /// Whether an invalidation has reached it.
    pub invalidated: bool,
}

impl Cache {
    /// How this cache does.
    pub fn report(&self) -> CacheReport {
        let inner = &*self.0;
        CacheReport {
            name: inner.name,
            policy: inner.options.policy,
            entries: inner.local.len(),
            entries_max: inner.options.entries_max,
            bytes: inner.local.bytes(),
            bytes_max: inner.options.bytes_max,
            hit_ratio: inner.meters.hit_ratio(),
            hits_l1: inner.meters.hits_l1(),
            misses_l1: inner.meters.l1.misses.get(),
            hits_l2: inner.meters.hits_l2.get(),
            loads: inner.meters.loads.get(),
            stale_hits: inner.meters.stale_hits.get(),
            position: inner.position.load(std::sync::atomic::Ordering::Acquire),
            hottest: inner.hottest.list(),
        }
    }

    /// The entry that this process holds under this key.
    pub fn report_key(&self, key: &[u8]) -> Option<KeyReport> {
        let inner = &*self.0;
        let entry = inner.local.peek(key)?;
        let now = inner.now();
        Some(KeyReport {
            version: entry.body.is_some().then_some(entry.version),
            position: entry.position,
            bytes: entry.body.as_ref().map_or(0, bytes::Bytes::len),
            age_ms: (now - entry.loaded_at) / 1_000,
            fresh_ms: (entry.fresh_until - now) / 1_000,
            stale_ms: (entry.stale_until - now) / 1_000,
            tags: entry.tags.iter().map(ToString::to_string).collect(),
            invalidated: inner.verdict(key, &entry, now) != crate::tags::Verdict::Valid,
        })
    }
}
