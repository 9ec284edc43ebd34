//! Measures how stale hits are: a sample of them is compared with the database.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pando_clock::Timestamp;

use crate::Cache;

/// The present version of a value in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// The version there.
    pub version: i64,
    /// Since when.
    pub changed_at: Timestamp,
}

type Reader = dyn Fn(Box<[u8]>) -> Pin<Box<dyn Future<Output = Option<Current>> + Send>> + Send + Sync;

#[derive(Default)]
pub(crate) struct Staleness {
    reader: OnceLock<Box<Reader>>,
    /// One comparison at a time: a sample must not become a load.
    busy: AtomicBool,
}

impl Cache {
    /// How to ask the database what it holds under a key; `None` when that cannot be said. With it, one hit in
    /// `staleness_sample_one_in` is compared, and `cache_staleness_seconds` says how old what was served was. The first
    /// reader stays.
    pub fn compare_with<F, Fut>(&self, reader: F)
    where
        F: Fn(Box<[u8]>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<Current>> + Send + 'static,
    {
        let _ = self.0.staleness.reader.set(Box::new(move |key| Box::pin(reader(key))));
    }

    pub(crate) fn compare(&self, key: &[u8], served: i64) {
        let staleness = &self.0.staleness;
        let Some(reader) = staleness.reader.get() else { return };
        if tokio::runtime::Handle::try_current().is_err() || staleness.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let (asked, busy, at) = (reader(key.into()), Busy(self.clone()), self.0.now());
        pando_telemetry::spawn("cache.compare", async move {
            if let Some(current) = asked.await {
                let old_for = match current.version > served {
                    true => (at - current.changed_at.as_micros()).max(0),
                    false => 0,
                };
                #[expect(clippy::cast_precision_loss, reason = "seconds, for a histogram")]
                busy.0.0.meters.staleness.observe(old_for as f64 / 1e6);
            }
        });
    }
}

struct Busy(Cache);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.staleness.busy.store(false, Ordering::Release);
    }
}
