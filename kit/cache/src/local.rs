//! The first tier: the entries in the memory of this process.

use std::sync::Arc;

use pando_telemetry::Counter;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use crate::entry::Entry;
use crate::lock::{Mutex, lock};
use crate::ordered::Ordered;
use crate::{CacheOptions, Policy};

/// The memory that an entry takes in the parallel map besides its own weight. It includes ghosts of departed entries and the
/// rounding up of tables to powers of two; measured with `examples/memory_bound.rs`.
const SLOT_BYTES: usize = 160;

type Parallel = quick_cache::sync::Cache<Box<[u8]>, Arc<Entry>, Weigh, DefaultHashBuilder, Departures>;

/// The entries of this process, bounded.
pub(crate) enum Local {
    Parallel(Box<Parallel>),
    Strict(Mutex<Ordered>, Counter),
}

/// Weighs an entry in bytes; never as less than its share of the number of entries allowed, so that one bound holds
/// both.
#[derive(Clone)]
pub(crate) struct Weigh {
    least: u64,
}

/// Counts those that had to leave.
#[derive(Clone)]
pub(crate) struct Departures(Counter);

impl Local {
    pub(crate) fn new(options: &CacheOptions, evicted: Counter) -> Self {
        let (entries, bytes) = (options.entries_max, options.bytes_max);
        match options.policy {
            Policy::S3Fifo => {
                let least = u64::try_from(bytes / entries).unwrap_or(u64::MAX);
                let options = OptionsBuilder::new()
                    .estimated_items_capacity(entries.min(bytes / 512))
                    .weight_capacity(u64::try_from(bytes).unwrap_or(u64::MAX))
                    .build()
                    .expect("both capacities are given");
                Self::Parallel(Box::new(Parallel::with_options(
                    options,
                    Weigh { least },
                    DefaultHashBuilder::default(),
                    Departures(evicted),
                )))
            }
            Policy::Lru => Self::Strict(Mutex::new(Ordered::new(entries, bytes, true)), evicted),
            Policy::Fifo => Self::Strict(Mutex::new(Ordered::new(entries, bytes, false)), evicted),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Arc<Entry>> {
        match self {
            Self::Parallel(map) => map.get(key),
            Self::Strict(map, _) => lock(map).get(key),
        }
    }

    /// The same, without counting as a use: for the cache's own bookkeeping.
    pub(crate) fn peek(&self, key: &[u8]) -> Option<Arc<Entry>> {
        match self {
            Self::Parallel(map) => map.peek(key),
            Self::Strict(map, _) => lock(map).peek(key),
        }
    }

    pub(crate) fn insert(&self, key: &[u8], entry: Arc<Entry>) {
        match self {
            Self::Parallel(map) => map.insert(key.into(), entry),
            Self::Strict(map, evicted) => {
                let left = lock(map).insert(key, entry);
                evicted.inc_by(left as u64);
            }
        }
    }

    pub(crate) fn remove(&self, key: &[u8]) -> bool {
        match self {
            Self::Parallel(map) => map.remove(key).is_some(),
            Self::Strict(map, _) => lock(map).remove(key),
        }
    }

    /// Removes what `keep` refuses; answers how many that were.
    pub(crate) fn retain(&self, keep: impl Fn(&Entry) -> bool) -> usize {
        match self {
            Self::Parallel(map) => {
                let removed = std::cell::Cell::new(0);
                map.retain(|_, entry| {
                    let kept = keep(entry);
                    removed.set(removed.get() + usize::from(!kept));
                    kept
                });
                removed.get()
            }
            Self::Strict(map, _) => lock(map).retain(|_, entry| keep(entry)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Parallel(map) => map.len(),
            Self::Strict(map, _) => lock(map).len(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Parallel(map) => usize::try_from(map.weight()).unwrap_or(usize::MAX),
            Self::Strict(map, _) => lock(map).bytes(),
        }
    }
}

impl Weighter<Box<[u8]>, Arc<Entry>> for Weigh {
    fn weight(&self, key: &Box<[u8]>, entry: &Arc<Entry>) -> u64 {
        ((SLOT_BYTES + key.len() + entry.weight()) as u64).max(self.least)
    }
}

impl Lifecycle<Box<[u8]>, Arc<Entry>> for Departures {
    /// The last one that left, freed when the lock is given back.
    type RequestState = Option<(Box<[u8]>, Arc<Entry>)>;

    fn on_evict(&self, state: &mut Self::RequestState, key: Box<[u8]>, entry: Arc<Entry>) {
        self.0.inc();
        *state = Some((key, entry));
    }
}
