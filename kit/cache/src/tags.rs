//! Tags: which ones were invalidated, and when, counted in invalidations.
//!
//! Each invalidation that this process learns of raises the epoch by one. A load notes the epoch at its start; its
//! entry is valid until one of its tags is invalidated in a later epoch. An invalidation searches for nothing and scans
//! nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::entry::Entry;
use crate::lock::{RwLock, read, write};

/// How many tags are known one by one. Past it, entries with tags from before are given up.
const TAGS_MAX: usize = 65_536;

#[derive(Default)]
pub(crate) struct Tags {
    epoch: AtomicU64,
    /// Entries from before are gone.
    cleared: AtomicU64,
    /// Entries from before are expired: they may stand in for a load that fails.
    expired: AtomicU64,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    invalidated: HashMap<Box<str>, u64>,
    /// Entries with tags from before are gone: some tags were forgotten.
    floor: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid,
    /// A process died that may have changed it: it is served while it is loaded behind.
    Doubted,
    Expired,
    Gone,
}

impl Tags {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(crate) fn invalidate(&self, tag: &str) {
        let mut known = write(&self.known);
        let epoch = self.epoch() + 1;
        if known.invalidated.len() >= TAGS_MAX {
            known.invalidated.clear();
            known.floor = epoch;
        }
        known.invalidated.insert(tag.into(), epoch);
        // Raised last and under the lock: a reader that sees the epoch also finds the tag.
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Everything from before is gone.
    pub(crate) fn clear(&self) {
        let _raising = write(&self.known);
        let epoch = self.epoch() + 1;
        self.cleared.store(epoch, Ordering::Release);
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Everything from before is expired.
    pub(crate) fn expire_all(&self) {
        let _raising = write(&self.known);
        let epoch = self.epoch() + 1;
        self.expired.store(epoch, Ordering::Release);
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Begins a new epoch, which separates entries that are loaded from now on from older ones.
    pub(crate) fn begin_epoch(&self) -> u64 {
        let _raising = write(&self.known);
        let epoch = self.epoch() + 1;
        self.epoch.store(epoch, Ordering::Release);
        epoch
    }

    pub(crate) fn verdict(&self, entry: &Entry) -> Verdict {
        if entry.epoch < self.cleared.load(Ordering::Acquire) {
            return Verdict::Gone;
        }
        if !entry.tags.is_empty() && entry.epoch < self.epoch() {
            let known = read(&self.known);
            let after = |tag: &str| known.invalidated.get(tag).is_some_and(|epoch| entry.epoch < *epoch);
            if entry.epoch < known.floor || entry.tags.iter().any(|tag| after(tag)) {
                return Verdict::Gone;
            }
        }
        match entry.epoch < self.expired.load(Ordering::Acquire) {
            true => Verdict::Expired,
            false => Verdict::Valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::entry;

    fn tagged(tags: &Tags, tag: &str) -> Entry {
        Entry { tags: Box::new([tag.into()]), epoch: tags.epoch(), ..entry(1, b"x") }
    }

    #[test]
    fn a_tag_reaches_what_was_loaded_before_it_and_nothing_else() {
        let tags = Tags::default();
        let (red, blue) = (tagged(&tags, "red"), tagged(&tags, "blue"));
        tags.invalidate("red");
        let later = tagged(&tags, "red");
        let verdicts = [&red, &blue, &later].map(|entry| tags.verdict(entry));
        assert_eq!(verdicts, [Verdict::Gone, Verdict::Valid, Verdict::Valid]);
        tags.expire_all();
        assert_eq!(tags.verdict(&blue), Verdict::Expired);
        tags.clear();
        assert_eq!(tags.verdict(&blue), Verdict::Gone);
        assert_eq!(tags.verdict(&tagged(&tags, "blue")), Verdict::Valid);
    }

    #[test]
    fn what_hangs_on_a_forgotten_tag_is_given_up() {
        let tags = Tags::default();
        tags.invalidate("red");
        let (before, untagged) = (tagged(&tags, "blue"), Entry { epoch: 1, ..entry(1, b"x") });
        for number in 0..TAGS_MAX {
            tags.invalidate(&number.to_string());
        }
        assert_eq!(tags.verdict(&before), Verdict::Gone, "nobody can tell");
        assert_eq!(tags.verdict(&untagged), Verdict::Valid);
        assert_eq!(tags.verdict(&tagged(&tags, "blue")), Verdict::Valid);
    }
}
