//! One budget for all request bodies that are held in memory, over all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use crate::{Code, Problem};

/// A body up to this size is small: a quarter of the budget is kept for small ones.
const SMALL_BYTES: u64 = 64 * 1024;

/// How many large bodies are parsed at once.
const PARSED_AT_ONCE: usize = 2;

/// The bytes that the bodies of all requests may take together.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    bytes_max: u64,
    held: AtomicU64,
    /// Values that one JSON body may hold.
    pub(crate) json_nodes_max: usize,
    pub(crate) parsing: Semaphore,
}

impl BodyBudget {
    pub(crate) fn new(bytes_max: u64, json_nodes_max: usize) -> Self {
        Self { bytes_max, held: AtomicU64::new(0), json_nodes_max, parsing: Semaphore::new(PARSED_AT_ONCE) }
    }
}

/// The share of the budget that one request takes; it is returned when the request has been answered.
#[derive(Debug)]
pub(crate) struct BodyShare {
    pub(crate) budget: Arc<BodyBudget>,
    held: AtomicU64,
}

impl BodyShare {
    pub(crate) fn new(budget: Arc<BodyBudget>) -> Self {
        Self { budget, held: AtomicU64::new(0) }
    }

    /// Takes so many bytes more; 503 when other bodies hold too much.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), Problem> {
        let BodyBudget { bytes_max, held, .. } = &*self.budget;
        let is_small = self.held.load(Ordering::Relaxed) + bytes <= SMALL_BYTES;
        let most = if is_small { *bytes_max } else { bytes_max - bytes_max / 4 };
        let fits = |held: u64| held.checked_add(bytes).filter(|held| *held <= most);
        if held.try_update(Ordering::AcqRel, Ordering::Acquire, fits).is_err() {
            return Err(Problem::new(
                Code::Unavailable,
                "there are too many request bodies at this moment: try again",
            ));
        }
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.held.load(Ordering::Relaxed), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_leave_a_reserve_for_small_ones_and_give_back_what_they_took() {
        let budget = Arc::new(BodyBudget::new(1024 * 1024, 10));
        let share = || BodyShare::new(budget.clone());
        let large = share();
        large.take(700 * 1024).unwrap();
        assert_eq!(share().take(100 * 1024).unwrap_err().code(), Code::Unavailable);
        let small: Vec<_> = (0..5).map(|_| share()).collect();
        assert!(small.iter().all(|share| share.take(SMALL_BYTES).is_ok()));
        assert!(share().take(SMALL_BYTES).is_err(), "and that reserve has an end, too");
        drop((large, small));
        share().take(768 * 1024).unwrap();
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
