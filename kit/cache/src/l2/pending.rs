//! Invalidations that Redis has not confirmed yet, in order: only the last one for each key is kept, and their number
//! is limited.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::bus::Kind;

/// An invalidation that has to reach Redis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Invalidation {
    pub(crate) cache: &'static str,
    pub(crate) kind: Kind,
    /// The key or the tag.
    pub(crate) name: Bytes,
    pub(crate) version: i64,
    pub(crate) position: u64,
}

type Target = (&'static str, Kind, Bytes);

#[derive(Default)]
pub(crate) struct Pending {
    by_turn: BTreeMap<u64, Invalidation>,
    turns: HashMap<Target, u64>,
    next: u64,
    most: usize,
    /// Some did not fit: everything must be expired.
    overflowed: bool,
}

impl Pending {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Puts one at the end, in the place of an earlier one of the same key.
    pub(crate) fn push(&mut self, mut invalidation: Invalidation) {
        if self.overflowed {
            return;
        }
        let target = (invalidation.cache, invalidation.kind, invalidation.name.clone());
        if let Some(before) = self.turns.remove(&target).and_then(|turn| self.by_turn.remove(&turn)) {
            invalidation.version = invalidation.version.max(before.version);
            invalidation.position = invalidation.position.max(before.position);
        }
        if self.by_turn.len() >= self.most {
            self.by_turn.clear();
            self.turns.clear();
            self.overflowed = true;
            return;
        }
        self.turns.insert(target, self.next);
        self.by_turn.insert(self.next, invalidation);
        self.next += 1;
    }

    /// All of them, in order, and whether some were lost.
    pub(crate) fn take(&mut self) -> (Vec<Invalidation>, bool) {
        self.turns.clear();
        let taken = std::mem::take(&mut self.by_turn).into_values().collect();
        (taken, std::mem::take(&mut self.overflowed))
    }

    /// Gives back what could not be sent.
    pub(crate) fn give_back(&mut self, invalidations: Vec<Invalidation>, overflowed: bool) {
        let (newer, newer_overflowed) = self.take();
        for invalidation in invalidations.into_iter().chain(newer) {
            self.push(invalidation);
        }
        if overflowed || newer_overflowed {
            self.by_turn.clear();
            self.turns.clear();
            self.overflowed = true;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_turn.is_empty() && !self.overflowed
    }

    pub(crate) fn len(&self) -> usize {
        self.by_turn.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, version: i64) -> Invalidation {
        let name = Bytes::from_static(name.as_bytes());
        Invalidation { cache: "things", kind: Kind::Key, name, version, position: 0 }
    }

    #[test]
    fn the_last_one_of_a_key_stays_in_order() {
        let mut pending = Pending::new(3);
        for (name, version) in [("a", 1), ("b", 1), ("a", 3), ("a", 2)] {
            pending.push(of(name, version));
        }
        assert_eq!(pending.take(), (vec![of("b", 1), of("a", 3)], false));
        assert!(pending.is_empty());
    }

    #[test]
    fn too_many_are_one_that_expires_everything() {
        let mut pending = Pending::new(2);
        for name in ["a", "b", "c", "d"] {
            pending.push(of(name, 1));
        }
        assert!(!pending.is_empty());
        let (taken, overflowed) = pending.take();
        assert!(taken.is_empty() && overflowed);
        pending.push(of("e", 1));
        pending.give_back(vec![], true);
        assert_eq!(pending.take(), (vec![], true));
        pending.push(of("a", 2));
        pending.give_back(vec![of("a", 5), of("b", 1)], false);
        assert_eq!(pending.take(), (vec![of("b", 1), of("a", 5)], false));
    }
}
