//! Doubt about entries after another process has died: that process may have made a write that it could not announce.
//!
//! Entries that were loaded before are then loaded again, but never all at once: each entry has its moment within a
//! window, chosen by the hash of its key. From that moment until the end of the window the entry is still served while
//! it is loaded in the background.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};

use crate::lock::{Mutex, lock};

/// The consequence of a silence for one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing, or nothing yet.
    None,
    /// Its moment has come: it is served while it is loaded behind.
    Due,
    /// Its window is over: it stands in for a load that fails, and for nothing else.
    Past,
}

/// The silences that one tier has heard of. Marks say when an entry was loaded: epochs in this process, moments of
/// Redis's clock there.
pub(crate) struct Silences {
    /// Those of every process that died.
    all: Windows,
    /// Those of processes whose last writes no other process has learned of from events.
    unwitnessed: Windows,
}

struct Windows {
    /// How long one window is, in microseconds.
    length: i64,
    /// Entries from before are in some window, or past theirs. The one thing that most looks read.
    newest: AtomicI64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Entries from before this mark are past their window.
    past: i64,
    /// Entries from before this mark are in the window that began at `since`.
    current: i64,
    since: i64,
    /// Entries from before this mark get their window when the current one ends: processes that die again and again
    /// must not put the end off for ever.
    next: i64,
}

impl Silences {
    pub(crate) fn new(spread: i64) -> Self {
        Self { all: Windows::new(spread), unwitnessed: Windows::new(spread) }
    }

    /// A process fell silent: entries that were loaded before `mark` are doubted.
    pub(crate) fn begin(&self, mark: i64, now: i64, witnessed: bool) {
        self.all.begin(mark, now);
        if !witnessed {
            self.unwitnessed.begin(mark, now);
        }
    }

    /// The consequence of the silences for an entry. A cache that learns of every write from events only considers silences that
    /// no living process has witnessed.
    pub(crate) fn doubt(
        &self,
        mark: i64,
        key: &[u8],
        now: i64,
        knows_events: impl FnOnce() -> bool,
    ) -> Doubt {
        // Every unwitnessed silence is also one of all.
        if mark >= self.all.newest.load(Ordering::Acquire) {
            return Doubt::None;
        }
        let windows = if knows_events() { &self.unwitnessed } else { &self.all };
        windows.doubt(mark, key, now)
    }
}

impl Windows {
    fn new(length: i64) -> Self {
        Self { length, newest: AtomicI64::new(i64::MIN), state: Mutex::default() }
    }

    fn begin(&self, mark: i64, now: i64) {
        let mut state = lock(&self.state);
        state.advance(now, self.length);
        if state.current == state.past {
            (state.current, state.since) = (mark, now);
        } else {
            state.next = state.next.max(mark);
        }
        self.newest.fetch_max(mark, Ordering::AcqRel);
    }

    fn doubt(&self, mark: i64, key: &[u8], now: i64) -> Doubt {
        if mark >= self.newest.load(Ordering::Acquire) {
            return Doubt::None;
        }
        let mut state = lock(&self.state);
        state.advance(now, self.length);
        if mark < state.past {
            Doubt::Past
        } else if mark < state.current && now >= state.since.saturating_add(moment(key, self.length)) {
            Doubt::Due
        } else {
            Doubt::None
        }
    }
}

impl State {
    fn advance(&mut self, now: i64, length: i64) {
        while self.current > self.past && now >= self.since.saturating_add(length) {
            self.past = self.current;
            if self.next > self.current {
                (self.current, self.since) = (self.next, self.since.saturating_add(length));
            }
        }
    }
}

/// When the turn of a key comes within a window of this length: at the same time in every process, so that one load
/// serves them all.
fn moment(key: &[u8], length: i64) -> i64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let share = i64::try_from(hasher.finish() % 1_024).unwrap_or(0);
    length / 1_024 * share
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn doubts(silences: &Silences, mark: i64, now: i64, knows_events: bool) -> [usize; 3] {
        let mut counts = [0; 3];
        for key in 0_u32..1_000 {
            let doubt = silences.doubt(mark, &key.to_be_bytes(), now, || knows_events);
            counts[doubt as usize] += 1;
        }
        counts
    }

    #[test]
    fn doubt_comes_over_entries_one_after_the_other_and_then_over_all() {
        let silences = Silences::new(10 * SECOND);
        silences.begin(5, 0, false);
        assert_eq!(doubts(&silences, 4, 0, false)[Doubt::Past as usize], 0);
        let [none, due, past] = doubts(&silences, 4, 5 * SECOND, false);
        assert!((400..600).contains(&none) && (400..600).contains(&due) && past == 0, "{none} {due} {past}");
        assert_eq!(doubts(&silences, 4, 10 * SECOND, false), [0, 0, 1_000]);
        assert_eq!(doubts(&silences, 5, 10 * SECOND, false), [1_000, 0, 0], "loaded after the silence");
    }

    #[test]
    fn deaths_that_follow_each_other_put_nothing_off_for_ever() {
        let silences = Silences::new(10 * SECOND);
        for second in 0..60 {
            silences.begin(second + 1, second * SECOND, false);
            if second >= 20 {
                assert_eq!(doubts(&silences, second - 20, second * SECOND, false), [0, 0, 1_000], "{second}");
            }
        }
    }

    #[test]
    fn who_learns_from_events_doubts_only_what_nobody_witnessed() {
        let silences = Silences::new(SECOND);
        silences.begin(5, 0, true);
        assert_eq!(doubts(&silences, 4, SECOND, true), [1_000, 0, 0]);
        assert_eq!(doubts(&silences, 4, SECOND, false), [0, 0, 1_000]);
        silences.begin(6, SECOND, false);
        assert_eq!(doubts(&silences, 4, 2 * SECOND, true), [0, 0, 1_000]);
    }

    #[test]
    fn without_a_window_everything_is_past_at_once() {
        let silences = Silences::new(0);
        silences.begin(5, 0, false);
        assert_eq!(doubts(&silences, 4, 0, false), [0, 0, 1_000]);
    }
}
