//! Stops calls to a dependency that does not answer, and tries again after some time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerOptions {
    /// How many of the last calls are looked at.
    pub window: usize,
    /// How many calls must have been seen before it opens.
    pub calls_min: usize,
    /// The share of failures that opens it.
    pub failure_percent: u32,
    /// How long the share must be that high before it opens. One pause of this machine fails all calls that are under
    /// way at once; a dependency that is away fails those after them too.
    pub patience: Duration,
    /// How long it stays open at first; twice as long each time it opens again without having closed.
    pub open: Duration,
    /// How long it stays open at most.
    pub open_max: Duration,
    /// How many calls must succeed, half open, before it closes; no more are let through at once.
    pub probes: u32,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            window: 100,
            calls_min: 20,
            failure_percent: 50,
            patience: Duration::ZERO,
            open: Duration::from_secs(5),
            open_max: Duration::from_secs(60),
            probes: 10,
        }
    }
}

/// Stops asking a dependency that does not answer, and tries it again by and by.
#[derive(Debug)]
pub struct Breaker {
    options: BreakerOptions,
    inner: Mutex<Inner>,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls go through, to see.
    HalfOpen,
}

/// The breaker is open: the call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the breaker is open")]
pub struct BreakerOpen {
    /// When it is worth asking again.
    pub retry_after: Duration,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    /// The number of the phase: results of calls from an earlier phase are not counted.
    number: u64,
    /// How long it stays open next time.
    next_open: Duration,
}

#[derive(Debug)]
enum Phase {
    Closed { failed: VecDeque<bool>, failures: usize, failing_since: Option<Instant> },
    Open { until: Instant },
    HalfOpen { under_way: u32, succeeded: u32 },
}

/// Leave for one call. Say how it went; a permit that is dropped, because its caller went away, counts as neither.
#[must_use]
#[derive(Debug)]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    number: u64,
    told: bool,
}

impl Breaker {
    /// A closed one.
    pub fn new(options: BreakerOptions) -> Self {
        let inner = Inner { phase: Phase::closed(), number: 0, next_open: options.open };
        Self { options, inner: Mutex::new(inner) }
    }

    /// Leave to call, or how long to wait.
    pub fn admit(&self) -> Result<Permit<'_>, BreakerOpen> {
        let mut inner = self.lock();
        if let Phase::Open { until } = inner.phase {
            let retry_after = until.saturating_duration_since(Instant::now());
            if !retry_after.is_zero() {
                return Err(BreakerOpen { retry_after });
            }
            inner.turn(Phase::HalfOpen { under_way: 0, succeeded: 0 });
        }
        if let Phase::HalfOpen { under_way, succeeded } = &mut inner.phase {
            if *under_way + *succeeded >= self.options.probes.max(1) {
                return Err(BreakerOpen { retry_after: Duration::from_millis(1) });
            }
            *under_way += 1;
        }
        Ok(Permit { breaker: self, number: inner.number, told: false })
    }

    /// Opens it at once: the caller knows better than the count.
    pub fn trip(&self) {
        self.lock().open(&self.options);
    }

    /// Where it stands.
    pub fn state(&self) -> BreakerState {
        match self.lock().phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, number: u64, went: Option<bool>) {
        let mut inner = self.lock();
        if inner.number != number {
            return;
        }
        let probes = self.options.probes.max(1);
        match (&mut inner.phase, went) {
            (Phase::Closed { failed, failures, failing_since }, Some(well)) => {
                if failed.len() >= self.options.window.max(1) && failed.pop_front() == Some(true) {
                    *failures -= 1;
                }
                failed.push_back(!well);
                *failures += usize::from(!well);
                let enough = failed.len() >= self.options.calls_min;
                let share = *failures * 100 >= failed.len() * self.options.failure_percent as usize;
                if !(enough && share) {
                    *failing_since = None;
                } else if !well {
                    let since = *failing_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.options.patience {
                        inner.open(&self.options);
                    }
                }
            }
            (Phase::HalfOpen { under_way, succeeded }, Some(true)) => {
                *under_way -= 1;
                *succeeded += 1;
                if *succeeded >= probes {
                    inner.next_open = self.options.open;
                    inner.turn(Phase::closed());
                }
            }
            (Phase::HalfOpen { .. }, Some(false)) => inner.open(&self.options),
            (Phase::HalfOpen { under_way, .. }, None) => *under_way -= 1,
            (Phase::Closed { .. }, None) | (Phase::Open { .. }, _) => {}
        }
    }
}

impl Inner {
    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.number += 1;
    }

    fn open(&mut self, options: &BreakerOptions) {
        let until = Instant::now() + self.next_open;
        self.next_open = self.next_open.saturating_mul(2).min(options.open_max);
        self.turn(Phase::Open { until });
    }
}

impl Phase {
    fn closed() -> Self {
        Self::Closed { failed: VecDeque::new(), failures: 0, failing_since: None }
    }
}

impl Permit<'_> {
    /// The dependency answered.
    pub fn success(mut self) {
        self.told = true;
        self.breaker.told(self.number, Some(true));
    }

    /// It did not, or not in time.
    pub fn failure(mut self) {
        self.told = true;
        self.breaker.told(self.number, Some(false));
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.breaker.told(self.number, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: usize) {
        for _ in 0..times {
            breaker.admit().unwrap().failure();
        }
    }

    fn succeed(breaker: &Breaker, times: usize) {
        for _ in 0..times {
            breaker.admit().unwrap().success();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_its_share_of_failures_and_not_on_few_calls() {
        let breaker = Breaker::new(BreakerOptions::default());
        fail(&breaker, 19);
        assert_eq!(breaker.state(), BreakerState::Closed);
        fail(&breaker, 1);
        assert_eq!(breaker.admit().unwrap_err().retry_after, Duration::from_secs(5));
        let breaker = Breaker::new(BreakerOptions::default());
        succeed(&breaker, 100);
        fail(&breaker, 49);
        assert_eq!(breaker.state(), BreakerState::Closed, "the window moves: 49 of the last 100");
        fail(&breaker, 1);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn one_bad_moment_does_not_open_it_where_it_is_patient() {
        let options = BreakerOptions { patience: Duration::from_millis(250), ..BreakerOptions::default() };
        let breaker = Breaker::new(options);
        fail(&breaker, 64);
        succeed(&breaker, 100);
        tokio::time::advance(Duration::from_secs(1)).await;
        fail(&breaker, 64);
        assert_eq!(breaker.state(), BreakerState::Closed, "the moment before is forgotten");
        tokio::time::advance(Duration::from_millis(250)).await;
        fail(&breaker, 1);
        assert_eq!(breaker.state(), BreakerState::Open, "it has gone on for too long");
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_open_twice_as_long_each_time_up_to_its_limit() {
        let breaker = Breaker::new(BreakerOptions::default());
        breaker.trip();
        for seconds in [5, 10, 20, 40, 60, 60] {
            let wait = breaker.admit().unwrap_err().retry_after;
            assert_eq!(wait, Duration::from_secs(seconds));
            tokio::time::advance(wait).await;
            breaker.admit().unwrap().failure();
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        succeed(&breaker, 10);
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.trip();
        assert_eq!(breaker.admit().unwrap_err().retry_after, Duration::from_secs(5), "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_it_lets_a_few_through_and_a_caller_who_left_gives_the_place_back() {
        let breaker = Breaker::new(BreakerOptions { probes: 2, ..BreakerOptions::default() });
        let old = breaker.admit().unwrap();
        breaker.trip();
        tokio::time::advance(Duration::from_secs(5)).await;
        let (one, two) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        old.failure();
        assert_eq!(breaker.state(), BreakerState::HalfOpen, "what comes back late is not counted");
        assert!(breaker.admit().is_err());
        drop(one);
        let three = breaker.admit().unwrap();
        two.success();
        three.success();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
