//! A map that follows first-in-first-out or least-recently-used order exactly, with one list, one lock, and never more
//! entries than allowed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::entry::Entry;

/// The end of the list.
const NONE: u32 = u32::MAX;

/// The memory that an entry takes here besides its own weight: a slot, an index entry, the counts of its key.
pub(crate) const SLOT_BYTES: usize = 112;

/// A bounded map with an order of leaving.
pub(crate) struct Ordered {
    index: HashMap<Arc<[u8]>, u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    /// A look-up makes an entry the newest.
    by_use: bool,
}

struct Slot {
    key: Arc<[u8]>,
    entry: Arc<Entry>,
    older: u32,
    newer: u32,
}

impl Ordered {
    pub(crate) fn new(entries_max: usize, bytes_max: usize, by_use: bool) -> Self {
        Self {
            index: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            bytes: 0,
            // One number is the end of the list.
            entries_max: entries_max.min(NONE as usize - 1),
            bytes_max,
            by_use,
        }
    }

    pub(crate) fn get(&mut self, key: &[u8]) -> Option<Arc<Entry>> {
        let place = *self.index.get(key)?;
        if self.by_use && place != self.newest {
            self.unlink(place);
            self.link_newest(place);
        }
        self.slot(place).map(|slot| Arc::clone(&slot.entry))
    }

    pub(crate) fn peek(&self, key: &[u8]) -> Option<Arc<Entry>> {
        self.slot(*self.index.get(key)?).map(|slot| Arc::clone(&slot.entry))
    }

    /// Puts an entry in; as many leave before as have to. An entry that is there already keeps its turn in a
    /// first-in-first-out order. Answers how many left.
    pub(crate) fn insert(&mut self, key: &[u8], entry: Arc<Entry>) -> usize {
        let weight = weigh(key, &entry);
        if weight > self.bytes_max {
            return 1 + usize::from(self.remove(key));
        }
        if let Some(place) = self.index.get(key).copied() {
            if self.by_use {
                self.unlink(place);
                self.link_newest(place);
            }
            let Some(slot) = self.slots[place as usize].as_mut() else { return 0 };
            self.bytes = self.bytes - weigh(key, &slot.entry) + weight;
            slot.entry = entry;
            return self.make_room(0, 0, place);
        }
        let left = self.make_room(1, weight, NONE);
        let key: Arc<[u8]> = key.into();
        let slot = Some(Slot { key: Arc::clone(&key), entry, older: NONE, newer: NONE });
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
            }
        };
        self.index.insert(key, place);
        self.bytes += weight;
        self.link_newest(place);
        left
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let Some(place) = self.index.remove(key) else { return false };
        self.unlink(place);
        if let Some(slot) = self.slots[place as usize].take() {
            self.bytes -= weigh(&slot.key, &slot.entry);
        }
        self.free.push(place);
        true
    }

    /// Removes what `keep` refuses; answers how many that were.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&[u8], &Arc<Entry>) -> bool) -> usize {
        let refused: Vec<Arc<[u8]>> = (self.slots.iter().flatten())
            .filter(|slot| !keep(&slot.key, &slot.entry))
            .map(|slot| Arc::clone(&slot.key))
            .collect();
        refused.iter().filter(|key| self.remove(key)).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets the oldest go, but never `spare`, until so many more entries and bytes fit.
    fn make_room(&mut self, entries: usize, bytes: usize, spare: u32) -> usize {
        let mut left = 0;
        while self.len() + entries > self.entries_max || self.bytes + bytes > self.bytes_max {
            let mut place = self.oldest;
            if place == spare {
                place = self.slot(place).map_or(NONE, |slot| slot.newer);
            }
            let Some(key) = self.slot(place).map(|slot| Arc::clone(&slot.key)) else { break };
            self.remove(&key);
            left += 1;
        }
        left
    }

    fn slot(&self, place: u32) -> Option<&Slot> {
        self.slots.get(place as usize)?.as_ref()
    }

    fn link_newest(&mut self, place: u32) {
        let before = std::mem::replace(&mut self.newest, place);
        if let Some(slot) = self.slots[place as usize].as_mut() {
            slot.older = before;
            slot.newer = NONE;
        }
        match self.slots.get_mut(before as usize).and_then(Option::as_mut) {
            Some(slot) => slot.newer = place,
            None => self.oldest = place,
        }
    }

    fn unlink(&mut self, place: u32) {
        let Some((older, newer)) = self.slot(place).map(|slot| (slot.older, slot.newer)) else { return };
        match self.slots.get_mut(older as usize).and_then(Option::as_mut) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize).and_then(Option::as_mut) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
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
                let mut order = Vec::new();
                let mut place = ordered.oldest;
                while let Some(slot) = ordered.slot(place) {
                    order.push(slot.key[0]);
                    place = slot.newer;
                }
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
