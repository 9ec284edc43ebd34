//! The moment when a transaction begins at the writer.

use std::sync::atomic::{AtomicU8, Ordering};

/// Whether the transaction has its turn at the writer: from then on it waits for other processes, not for this one.
/// A transaction that is given up before that has no effect.
#[derive(Default)]
pub(crate) struct Turn(AtomicU8);

const WAITING: u8 = 0;
const COME: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Turn {
    /// It comes, unless it was given up.
    pub(super) fn come(&self) -> bool {
        self.leave_the_line(COME)
    }

    /// Gives it up, unless it has come.
    pub(crate) fn give_up(&self) -> bool {
        self.leave_the_line(GIVEN_UP)
    }

    fn leave_the_line(&self, how: u8) -> bool {
        self.0.compare_exchange(WAITING, how, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(super) fn has_come(&self) -> bool {
        self.0.load(Ordering::Acquire) == COME
    }
}
