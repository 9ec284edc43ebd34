//! The fence: a value that was read before an invalidation is never kept after it.
//!
//! Keys are spread over stripes. A stripe remembers its last invalidations and the loads under way. A load takes a
//! ticket before it reads. Its value is kept only if the stripe can still tell that nothing newer has happened to the
//! key since then. Memory is bounded: a stripe that has forgotten too much refuses the value, which only costs another
//! load.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, MutexGuard};

use crate::flight::Flight;
use crate::lock::{Mutex, lock};

const STRIPES: usize = 256;
const MARKS_MAX: usize = 16;

/// How long an invalidation from before a load began still refuses older versions: a replica that lags may have
/// answered that load.
pub(crate) const REMEMBERED_MICROS: i64 = 60_000_000;

pub(crate) struct Fence {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: RandomState,
}

#[derive(Default)]
pub(crate) struct Stripe {
    /// How many invalidations so far.
    count: u64,
    marks: VecDeque<Mark>,
    /// The count of the last mark that was forgotten.
    forgotten: u64,
    /// The loads under way that later callers may join.
    pub(crate) flights: HashMap<Box<[u8]>, Arc<Flight>>,
}

struct Mark {
    hash: u64,
    count: u64,
    at: i64,
    /// Versions below are refused.
    version_min: i64,
}

/// How much of a key's history its holder has seen.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    pub(crate) hash: u64,
    pub(crate) count: u64,
    pub(crate) epoch: u64,
}

impl Fence {
    pub(crate) fn new() -> Self {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Self { stripes, hasher: RandomState::new() }
    }

    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// How much has happened in each stripe until now.
    pub(crate) fn counts(&self) -> Vec<u64> {
        self.stripes.iter().map(|stripe| lock(stripe).count).collect()
    }

    /// The ticket of a key, as of an earlier moment.
    pub(crate) fn ticket(&self, key: &[u8], counts: &[u64], epoch: u64) -> Ticket {
        let hash = self.hash(key);
        Ticket { hash, count: counts[place(hash)], epoch }
    }

    pub(crate) fn stripe(&self, hash: u64) -> MutexGuard<'_, Stripe> {
        lock(&self.stripes[place(hash)])
    }
}

fn place(hash: u64) -> usize {
    usize::try_from(hash % STRIPES as u64).unwrap_or(0)
}

impl Stripe {
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// From now on, versions of this key below `version_min` are refused, and its loads under way are not joined.
    pub(crate) fn mark(&mut self, key: &[u8], hash: u64, version_min: i64, at: i64) {
        self.count += 1;
        self.flights.remove(key);
        let mut version_min = version_min;
        if let Some(before) = self.marks.iter().position(|mark| mark.hash == hash) {
            // A version that was refused a moment ago stays refused.
            version_min =
                self.marks.remove(before).map_or(version_min, |mark| version_min.max(mark.version_min));
        } else if self.marks.len() == MARKS_MAX
            && let Some(oldest) = self.marks.pop_front()
        {
            self.forgotten = oldest.count;
        }
        self.marks.push_back(Mark { hash, count: self.count, at, version_min });
    }

    /// Whether versions of this key below `version` are refused already.
    pub(crate) fn knows(&self, hash: u64, version: i64) -> bool {
        self.marks.iter().any(|mark| mark.hash == hash && mark.version_min >= version)
    }

    /// Whether the value that was read under the ticket may be kept. `None` is the version of "there is no such thing", which may
    /// be older or newer than an invalidation in between.
    pub(crate) fn admits(&self, ticket: Ticket, version: Option<i64>, now: i64) -> bool {
        if ticket.count < self.forgotten {
            return false;
        }
        let Some(mark) = self.marks.iter().find(|mark| mark.hash == ticket.hash) else { return true };
        let since = mark.count > ticket.count;
        match version {
            Some(version) => version >= mark.version_min || (!since && now - mark.at > REMEMBERED_MICROS),
            None => !since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(fence: &Fence, key: &[u8]) -> Ticket {
        let hash = fence.hash(key);
        Ticket { hash, count: fence.stripe(hash).count(), epoch: 0 }
    }

    fn mark(fence: &Fence, key: &[u8], version_min: i64, at: i64) {
        let hash = fence.hash(key);
        fence.stripe(hash).mark(key, hash, version_min, at);
    }

    fn admits(fence: &Fence, ticket: Ticket, version: Option<i64>, now: i64) -> bool {
        fence.stripe(ticket.hash).admits(ticket, version, now)
    }

    #[test]
    fn what_was_read_before_an_invalidation_is_refused_after_it() {
        let fence = Fence::new();
        let before = ticket(&fence, b"a");
        mark(&fence, b"a", 8, 0);
        assert!(!admits(&fence, before, Some(7), 0));
        assert!(admits(&fence, before, Some(8), 0), "it has read the new row");
        assert!(!admits(&fence, before, None, 0), "nobody knows which is newer");
        let after = ticket(&fence, b"a");
        assert!(!admits(&fence, after, Some(7), 0), "a lagging replica answered");
        assert!(admits(&fence, after, None, 0));
        assert!(admits(&fence, after, Some(7), REMEMBERED_MICROS + 1), "the key began anew");
        mark(&fence, b"a", 3, 0);
        assert!(!admits(&fence, ticket(&fence, b"a"), Some(7), 0), "an older invalidation that came late");
    }

    #[test]
    fn what_was_heard_of_is_known() {
        let fence = Fence::new();
        let knows = |key: &[u8], version| fence.stripe(fence.hash(key)).knows(fence.hash(key), version);
        mark(&fence, b"a", 8, 0);
        assert!(knows(b"a", 7) && knows(b"a", 8));
        assert!(!knows(b"a", 9) && !knows(b"b", 1));
    }

    #[test]
    fn a_stripe_that_forgot_refuses_rather_than_guesses() {
        let fence = Fence::new();
        let hash = fence.hash(b"a");
        let neighbours = (0_u32..).map(u32::to_be_bytes).filter(|key| fence.hash(key) % 256 == hash % 256);
        let before = ticket(&fence, b"a");
        for (number, key) in neighbours.take(MARKS_MAX + 1).enumerate() {
            assert!(admits(&fence, before, Some(1), 0), "after {number}");
            mark(&fence, &key, 1, 0);
        }
        assert!(!admits(&fence, before, Some(1), 0));
        assert!(admits(&fence, ticket(&fence, b"a"), Some(1), 0));
    }
}
