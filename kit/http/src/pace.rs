//! Limits on how slowly a request body may arrive: on pauses, on the overall rate, and on the whole time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::HttpOptions;

/// The limits of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaceLimits {
    /// The longest pause between two pieces.
    pub(crate) pause: Duration,
    /// How long the client may keep us waiting at all, besides what the rate allows.
    pub(crate) grace: Duration,
    pub(crate) bytes_per_second_min: u64,
    /// From the first look to the end.
    pub(crate) total: Duration,
}

impl PaceLimits {
    pub(crate) fn new(options: &HttpOptions, pause: Option<Duration>) -> Self {
        let total = Duration::from_millis(options.body_total_ms);
        Self {
            pause: pause.unwrap_or(total),
            grace: Duration::from_millis(options.body_grace_ms),
            bytes_per_second_min: options.body_bytes_per_second_min.max(1),
            total,
        }
    }
}

/// The pace of one body. Time is counted from the first look that found nothing: while the handler is busy elsewhere,
/// it is the client who waits for us.
pub(crate) struct Pace {
    limits: PaceLimits,
    began: Instant,
    received: u64,
    /// How long the client has kept us waiting, without the present wait.
    waited: Duration,
    waiting_since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(limits: PaceLimits) -> Self {
        let (began, waited) = (Instant::now(), Duration::ZERO);
        Self { limits, began, received: 0, waited, waiting_since: None, sleep: None }
    }

    /// There is nothing to read: ready when the client is too slow.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            let end = now + self.patience(now);
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(end),
                None => self.sleep = Some(Box::pin(tokio::time::sleep_until(end))),
            }
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// A piece came; false when the whole body takes too long.
    pub(crate) fn came(&mut self, bytes: usize) -> bool {
        self.received += bytes as u64;
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        self.began.elapsed() <= self.limits.total
    }

    /// How long the client may keep us waiting from now on.
    fn patience(&self, now: Instant) -> Duration {
        let PaceLimits { pause, grace, bytes_per_second_min, total } = self.limits;
        let earned = Duration::from_secs(self.received / bytes_per_second_min);
        let by_rate = grace.saturating_add(earned).saturating_sub(self.waited);
        pause.min(by_rate).min(total.saturating_sub(now.saturating_duration_since(self.began)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PaceLimits = PaceLimits {
        pause: Duration::from_millis(100),
        grace: Duration::from_secs(1),
        bytes_per_second_min: 100,
        total: Duration::from_secs(60),
    };

    async fn ended(pace: &mut Pace) -> Duration {
        let began = Instant::now();
        std::future::poll_fn(|cx| pace.poll_end(cx)).await;
        began.elapsed()
    }

    async fn is_patient(pace: &mut Pace) -> bool {
        futures_util::poll!(std::future::poll_fn(|cx| pace.poll_end(cx))).is_pending()
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_for_the_client_is_timed() {
        let mut pace = Pace::new(LIMITS);
        for _ in 0..3 {
            // The handler is busy for much longer than the client may be, and finds nothing when it is back.
            tokio::time::advance(LIMITS.pause * 10).await;
            assert!(is_patient(&mut pace).await);
            tokio::time::advance(LIMITS.pause / 2).await;
            assert!(is_patient(&mut pace).await);
            assert!(pace.came(1));
        }
        assert_eq!(
            ended(&mut pace).await,
            LIMITS.pause,
            "a client that sends nothing has one pause, from here on"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_trickles_has_its_grace_and_what_the_rate_allows() {
        let (mut slow, mut fast) = (Pace::new(LIMITS), Pace::new(LIMITS));
        let began = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = std::future::poll_fn(|cx| slow.poll_end(cx)) => break,
                () = tokio::time::sleep(LIMITS.pause / 2) => assert!(slow.came(1)),
            }
        }
        assert!(began.elapsed() < LIMITS.grace * 2, "{:?}", began.elapsed());
        for _ in 0..200 {
            assert!(is_patient(&mut fast).await);
            tokio::time::advance(LIMITS.pause / 2).await;
            assert!(fast.came(10), "twice the least rate");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_body_takes_longer_than_the_whole_time() {
        let mut pace = Pace::new(LIMITS);
        tokio::time::advance(LIMITS.total).await;
        assert!(pace.came(1_000_000));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!pace.came(1_000_000));
        assert_eq!(ended(&mut pace).await, Duration::ZERO);
    }
}
