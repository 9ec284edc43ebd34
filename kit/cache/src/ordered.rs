//! A map that follows first-in-first-out or least-recently-used order exactly, with one lock, and never more entries than
//! allowed.

use std::collections::hash_map::RandomState;
use std::sync::Arc;

use hashlink::LinkedHashMap;

use crate::entry::Entry;

/// The memory that an entry takes here besides its own weight: a node of the list, its place in the index, and the counts
/// of the allocator.
pub(crate) const SLOT_BYTES: usize = 112;

/// A bounded map with an order of leaving, the next to leave first.
pub(crate) struct Ordered {
    entries: LinkedHashMap<Box<[u8]>, Arc<Entry>, RandomState>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    /// A look-up makes an entry the last to leave.
    by_use: bool,
}

impl Ordered {
    pub(crate) fn new(entries_max: usize, bytes_max: usize, by_use: bool) -> Self {
        Self { entries: LinkedHashMap::default(), bytes: 0, entries_max, bytes_max, by_use }
    }

    pub(crate) fn get(&mut self, key: &[u8]) -> Option<Arc<Entry>> {
        self.used(key).map(|entry| Arc::clone(entry))
    }

    pub(crate) fn peek(&self, key: &[u8]) -> Option<Arc<Entry>> {
        self.entries.get(key).cloned()
    }

    /// Puts an entry in; as many leave before as have to. An entry that is there already keeps its turn in a
    /// first-in-first-out order. Answers how many left.
    pub(crate) fn insert(&mut self, key: &[u8], entry: Arc<Entry>) -> usize {
        let weight = weigh(key, &entry);
        if weight > self.bytes_max {
            return 1 + usize::from(self.remove(key));
        }
        if let Some(held) = self.used(key) {
            let before = weigh(key, held);
            *held = entry;
            self.bytes = self.bytes - before + weight;
            return self.make_room(0, 0, key);
        }
        let left = self.make_room(1, weight, key);
        self.entries.insert(key.into(), entry);
        self.bytes += weight;
        left
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        self.bytes -= weigh(key, &entry);
        true
    }

    /// Removes what `keep` refuses; answers how many that were.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&[u8], &Arc<Entry>) -> bool) -> usize {
        let before = self.len();
        self.entries.retain(|key, entry| {
            let kept = keep(key, entry);
            if !kept {
                self.bytes -= weigh(key, entry);
            }
            kept
        });
        before - self.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn used(&mut self, key: &[u8]) -> Option<&mut Arc<Entry>> {
        if self.by_use { self.entries.to_back(key) } else { self.entries.get_mut(key) }
    }

    /// Lets the oldest go, but never `spare`, until so many more entries and bytes fit.
    fn make_room(&mut self, entries: usize, bytes: usize, spare: &[u8]) -> usize {
        let before = self.len();
        while self.len() + entries > self.entries_max || self.bytes + bytes > self.bytes_max {
            let Some(key) = self.entries.keys().find(|key| ***key != *spare).cloned() else { break };
            self.remove(&key);
        }
        before - self.len()
    }
}

fn weigh(key: &[u8], entry: &Entry) -> usize {
    SLOT_BYTES + key.len() + entry.weight()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::tests::entry;

    #[derive(Clone, Debug)]
    enum Step {
        Get(u8),
        Insert(u8),
        Remove(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        (0_u8..3, 0_u8..12).prop_map(|(kind, key)| match kind {
            0 => Step::Get(key),
            1 => Step::Insert(key),
            _ => Step::Remove(key),
        })
    }

    /// The same thing as a plain list, oldest first.
    fn play_naively(list: &mut Vec<u8>, step: &Step, most: usize, by_use: bool) {
        let touch = |list: &mut Vec<u8>, key: u8| {
            list.retain(|it| *it != key);
            list.push(key);
        };
        match *step {
            Step::Get(key) if by_use && list.contains(&key) => touch(list, key),
            Step::Get(_) => {}
            Step::Insert(key) if list.contains(&key) => {
                if by_use {
                    touch(list, key);
                }
            }
            Step::Insert(key) => {
                if list.len() == most {
                    list.remove(0);
                }
                list.push(key);
            }
            Step::Remove(key) => list.retain(|it| *it != key),
        }
    }

    proptest! {
        #[test]
        fn it_does_what_a_plain_list_does(
            steps in prop::collection::vec(step(), 0..200), most in 1_usize..8, by_use: bool,
        ) {
            let mut ordered = Ordered::new(most, 1 << 20, by_use);
            let mut list = Vec::new();
            for step in steps {
                match step {
                    Step::Get(key) => prop_assert_eq!(ordered.get(&[key]).is_some(), list.contains(&key)),
                    Step::Insert(key) => { ordered.insert(&[key], Arc::new(entry(1, b"x"))); }
                    Step::Remove(key) => prop_assert_eq!(ordered.remove(&[key]), list.contains(&key)),
                }
                play_naively(&mut list, &step, most, by_use);
                let order: Vec<u8> = ordered.entries.keys().map(|key| key[0]).collect();
                prop_assert_eq!(&order, &list);
                prop_assert_eq!(ordered.len(), list.len());
                prop_assert_eq!(ordered.bytes(), list.len() * weigh(&[0], &entry(1, b"x")));
            }
        }
    }

    #[test]
    fn bytes_bound_it_too_and_what_cannot_fit_is_not_kept() {
        let room = 3 * weigh(b"a", &entry(1, &[0; 100]));
        let mut ordered = Ordered::new(100, room, false);
        for key in [b"a", b"b", b"c", b"d"] {
            ordered.insert(key, Arc::new(entry(1, &[0; 100])));
            assert!(ordered.bytes() <= room);
        }
        assert!(ordered.get(b"a").is_none() && ordered.len() == 3);
        ordered.insert(b"d", Arc::new(entry(2, &[0; 200])));
        assert!(ordered.bytes() <= room && ordered.get(b"d").is_some() && ordered.get(b"b").is_none());
        ordered.insert(b"d", Arc::new(entry(3, &vec![0; room])));
        assert!(ordered.get(b"d").is_none(), "too large, and the old one must not stay either");
    }
}
