//! The moment after which nobody needs an answer any more.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// One moment after which an answer is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// The deadline passed before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct DeadlineExceeded;

impl Deadline {
    /// The moment `budget` from now.
    pub fn after(budget: Duration) -> Self {
        let now = Instant::now();
        // A budget past the end of the clock means "as long as it takes": a century is that.
        Self(now.checked_add(budget).unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400)))
    }

    /// This moment.
    pub fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// The remaining time; zero after the deadline.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether the budget is spent.
    pub fn is_past(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of two deadlines: a step may have less time than the whole, never more.
    pub fn sooner(self, other: Self) -> Self {
        self.min(other)
    }

    /// The moment itself, for timers.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// Runs `work` until the deadline, then drops it. Work that is already late is not started.
    pub async fn bound<F: Future>(self, work: F) -> Result<F::Output, DeadlineExceeded> {
        if self.is_past() {
            return Err(DeadlineExceeded);
        }
        tokio::time::timeout_at(self.0, work).await.map_err(|_| DeadlineExceeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn late_work_is_not_started() {
        let deadline = Deadline::after(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(2)).await;
        let mut started = false;
        assert_eq!(deadline.bound(async { started = true }).await, Err(DeadlineExceeded));
        assert!(!started);
        assert!(deadline.is_past());
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_dropped_at_the_deadline_and_not_before() {
        let deadline = Deadline::after(Duration::from_secs(3));
        let slow = tokio::time::sleep(Duration::from_millis(2_999));
        assert_eq!(deadline.bound(slow).await, Ok(()));
        assert_eq!(deadline.bound(std::future::pending::<()>()).await, Err(DeadlineExceeded));
    }

    #[test]
    fn an_endless_budget_is_a_long_one() {
        assert!(Deadline::after(Duration::MAX).remaining() > Duration::from_secs(86_400 * 365));
    }
}
