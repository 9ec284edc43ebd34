//! Two ways besides the bus in which a process learns of writes by other processes: the events in the database, and the
//! news that a process has died.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::cache::{Cache, Inner};

/// Events that are older than this count as missing, in microseconds.
const LATE_MAX: i64 = 5_000_000;

/// How far this process is with the events of the database, and of which deaths it has heard.
pub(crate) struct Events {
    /// When all events there were had been handed over.
    heard_at: AtomicI64,
    silence: AtomicI64,
    unwitnessed: AtomicI64,
}

/// When processes died, by Redis's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SilenceStamps {
    /// The last death of any process.
    pub(crate) last: i64,
    /// The last death of a process whose writes no living process had learned of from events.
    pub(crate) unwitnessed: i64,
}

impl Default for Events {
    fn default() -> Self {
        let never = || AtomicI64::new(i64::MIN);
        Self { heard_at: never(), silence: AtomicI64::new(0), unwitnessed: AtomicI64::new(0) }
    }
}

impl Cache {
    /// Learns of a write from another source than the bus, such as the write's event in the database. If this process knows of
    /// the write already, nothing happens; otherwise this is [`Cache::invalidate`]. Returns whether the write was unknown.
    pub async fn catch_up(&self, key: &[u8], version: i64) -> bool {
        let hash = self.0.fence.hash(key);
        if self.0.fence.stripe(hash).knows(hash, version) {
            return false;
        }
        self.invalidate(key, version, None).await;
        true
    }

    /// Everything with this tag that this process loaded until now is gone. For a service that learns of a write from
    /// somewhere else than the bus, as every process does: the writer has told Redis, or its silence is noticed there.
    pub fn catch_up_tag(&self, tag: &str) {
        self.0.tags.invalidate(tag);
    }

    /// Says that this process has been told of every write there was a moment ago, whichever process made it, with
    /// [`Cache::catch_up`]. A cache whose service says so at least every five seconds keeps its entries when another
    /// process dies; without that, they are loaded again, spread over `silence_spread_ms`.
    pub fn caught_up(&self) {
        self.0.events.heard_at.store(self.0.now(), Ordering::Release);
    }

    /// Whether this process holds something under this key, or is just loading it.
    pub fn concerns(&self, key: &[u8]) -> bool {
        let stripe = self.0.fence.stripe(self.0.fence.hash(key));
        stripe.flights.contains_key(key) || self.0.local.peek(key).is_some()
    }
}

impl Inner {
    /// Whether this process learns of every write from events.
    pub(crate) fn knows_events(&self) -> bool {
        let heard_at = self.events.heard_at.load(Ordering::Acquire);
        self.options.rely_on_events && heard_at.saturating_add(LATE_MAX) > self.now()
    }

    /// Processes died whose last writes may not have been announced. Entries loaded before are doubted from now on.
    pub(crate) fn hear_of_silence(&self, stamps: SilenceStamps) {
        let is_news = |seen: &AtomicI64, stamp: i64| seen.fetch_max(stamp, Ordering::AcqRel) < stamp;
        let unwitnessed = is_news(&self.events.unwitnessed, stamps.unwitnessed);
        // An unwitnessed death is a death, too: there is no news without this.
        if !is_news(&self.events.silence, stamps.last) {
            return;
        }
        let mark = i64::try_from(self.tags.begin_epoch()).unwrap_or(i64::MAX);
        self.silences.begin(mark, self.now(), !unwitnessed);
        if let Some(remote) = &self.remote {
            if unwitnessed {
                remote.doubt(stamps.unwitnessed, false);
            }
            remote.doubt(stamps.last, true);
        }
    }
}
