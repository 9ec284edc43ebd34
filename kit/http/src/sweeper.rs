//! Times what every connection does, so that no request has to: slow heads, idle and stalled connections end here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::HttpOptions;
use crate::connection::{Connection, Order, Phase};

/// At shutdown a connection that was quiet for this long is closed; one in use learns it from its next answer.
const DRAIN_QUIET: Duration = Duration::from_millis(100);
/// How long a connection may throw away what its client still sends.
const LINGER_MAX: Duration = Duration::from_secs(2);
/// With no room for another connection, idle ones go after this time.
const CROWDED_IDLE: Duration = Duration::from_secs(1);

/// Every open connection.
#[derive(Debug)]
pub(crate) struct Sweeper {
    limits: Limits,
    connections: Mutex<HashMap<u64, Tracked>>,
}

#[derive(Debug)]
struct Limits {
    head: Duration,
    idle: Duration,
    stall: Duration,
}

#[derive(Debug)]
struct Tracked {
    connection: Arc<Connection>,
    phase: Phase,
    /// What must change, or it is the same phase still: writes while stalled, requests otherwise.
    steps: u32,
    since: Instant,
}

/// What the server is up to, as far as it matters to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Open,
    Crowded,
    Draining,
}

impl Sweeper {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let limits = Limits {
            head: Duration::from_millis(options.header_read_timeout_ms),
            idle: Duration::from_millis(options.keep_alive_idle_ms),
            stall: Duration::from_millis(options.write_stall_ms),
        };
        Self { limits, connections: Mutex::new(HashMap::new()) }
    }

    /// How often to sweep: four times within the shortest limit.
    pub(crate) fn interval(&self) -> Duration {
        let shortest = self.limits.head.min(self.limits.idle).min(self.limits.stall);
        (shortest / 4).clamp(Duration::from_millis(5), Duration::from_millis(250))
    }

    pub(crate) fn add(&self, id: u64, connection: Arc<Connection>) {
        let tracked = Tracked { connection, phase: Phase::Fresh, steps: 0, since: Instant::now() };
        self.lock().insert(id, tracked);
    }

    pub(crate) fn remove(&self, id: u64) {
        self.lock().remove(&id);
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Looks at every connection once and orders what is due.
    pub(crate) fn sweep(&self, now: Instant, mood: Mood) {
        for tracked in self.lock().values_mut() {
            let connection = &tracked.connection;
            let phase = connection.phase();
            // A reader slower than we are is found waiting at every look: what it took in between tells.
            let steps = if phase == Phase::Stalled { connection.written() } else { connection.requests() };
            if (phase, steps) != (tracked.phase, tracked.steps) {
                (tracked.phase, tracked.steps, tracked.since) = (phase, steps, now);
            }
            if connection.is_http2() && connection.has_stalled_answer(now, self.limits.stall) {
                connection.order(Order::Abort);
            }
            let age = now.saturating_duration_since(tracked.since);
            if let Some(order) = self.limits.due(phase, age, mood, tracked.connection.is_http2()) {
                tracked.connection.order(order);
            }
        }
    }

    /// Ends every connection now; how many requests that cut off.
    pub(crate) fn abort_all(&self) -> usize {
        let connections = self.lock();
        let cut = connections.values().map(|tracked| tracked.connection.in_flight() as usize).sum();
        for tracked in connections.values() {
            tracked.connection.order(Order::Abort);
        }
        cut
    }

    /// A panic elsewhere leaves a table that is still true: the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Tracked>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limits {
    fn due(&self, phase: Phase, age: Duration, mood: Mood, http2: bool) -> Option<Order> {
        let idle = if mood == Mood::Crowded { self.idle.min(CROWDED_IDLE) } else { self.idle };
        match phase {
            // HTTP/2 was begun, then nothing: a client that holds connections ready is told with GOAWAY.
            Phase::Fresh if http2 && age >= self.head && age < self.head * 2 => Some(Order::Close),
            Phase::Fresh if age >= self.head => Some(Order::Abort),
            Phase::Head if age >= self.head => Some(Order::HeadTimedOut),
            Phase::Stalled if age >= self.stall => Some(Order::Abort),
            Phase::Lingering if age >= LINGER_MAX => Some(Order::Abort),
            // A close that the client does not follow ends all the same.
            Phase::Idle if age >= idle + self.head => Some(Order::Abort),
            Phase::Idle if age >= idle => Some(Order::Close),
            // GOAWAY lets requests that are on their way finish: nothing to wait for.
            Phase::Idle | Phase::Busy | Phase::Fresh if mood == Mood::Draining => {
                (http2 || age >= DRAIN_QUIET).then_some(Order::Close)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Mood::{Crowded, Draining, Open};

    #[test]
    fn each_phase_has_its_limit() {
        let options = HttpOptions::default();
        let limits = Sweeper::new(&options).limits;
        for (phase, age_ms, mood, order) in [
            (Phase::Fresh, 9_999, Open, None),
            (Phase::Fresh, 10_000, Open, Some(Order::Abort)),
            (Phase::Head, 9_999, Open, None),
            (Phase::Head, 10_000, Open, Some(Order::HeadTimedOut)),
            (Phase::Head, 200, Draining, None),
            (Phase::Busy, 1_000_000, Open, None),
            (Phase::Busy, 50, Draining, None),
            (Phase::Busy, 100, Draining, Some(Order::Close)),
            (Phase::Stalled, 30_000, Open, Some(Order::Abort)),
            (Phase::Idle, 74_999, Open, None),
            (Phase::Idle, 75_000, Open, Some(Order::Close)),
            (Phase::Idle, 85_000, Open, Some(Order::Abort)),
            (Phase::Idle, 1_000, Crowded, Some(Order::Close)),
            (Phase::Idle, 99, Draining, None),
            (Phase::Idle, 100, Draining, Some(Order::Close)),
            (Phase::Lingering, 2_000, Draining, Some(Order::Abort)),
        ] {
            let due = limits.due(phase, Duration::from_millis(age_ms), mood, false);
            assert_eq!(due, order, "{phase:?} {age_ms} {mood:?}");
        }
        assert_eq!(limits.due(Phase::Busy, Duration::ZERO, Draining, true), Some(Order::Close));
    }
}
