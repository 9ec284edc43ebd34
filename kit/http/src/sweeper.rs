//! Times all connections, so that no request needs a timer; closes connections that are idle, stalled, or slow to send
//! a head.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::HttpOptions;
use crate::connection::{Connection, Order, Phase};

/// At shutdown a connection that was quiet for this long is closed; one in use learns it from its next answer.
const DRAIN_QUIET: Duration = Duration::from_millis(100);
/// How long a connection may throw away what its client still sends.
const LINGER_MAX: Duration = Duration::from_secs(2);
/// With no room for another connection, those that are idle or keep us waiting go after this time.
const CROWDED_IDLE: Duration = Duration::from_secs(1);

/// Every open connection.
#[derive(Debug)]
pub(crate) struct Sweeper {
    limits: Limits,
    /// With no room left, so many of the slowest may go in one sweep.
    evicted_max: usize,
    per_peer_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    connections: HashMap<u64, Tracked>,
    peers: HashMap<IpAddr, usize>,
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
    /// Under which address it is counted, if it is.
    peer: Option<IpAddr>,
    phase: Phase,
    /// The count that must change for a new phase: writes while stalled, pieces while a body is awaited, requests otherwise.
    steps: u32,
    since: Instant,
}

/// The state of the server, as far as it matters to connections.
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
        let evicted_max = (options.connections_max / 20).max(1);
        let per_peer_max = options.connections_per_peer_max;
        Self { limits, evicted_max, per_peer_max, open: Mutex::default() }
    }

    /// How often to sweep: four times within the shortest limit.
    pub(crate) fn interval(&self) -> Duration {
        let shortest = self.limits.head.min(self.limits.idle).min(self.limits.stall);
        (shortest / 4).clamp(Duration::from_millis(5), Duration::from_millis(250))
    }

    /// Takes a connection into the books; false when its address has too many already.
    pub(crate) fn add(&self, id: u64, connection: Arc<Connection>, counted: Option<IpAddr>) -> bool {
        let peer = counted.map(network);
        let mut open = self.lock();
        if let Some(peer) = peer {
            let connections = open.peers.entry(peer).or_default();
            if *connections >= self.per_peer_max {
                return false;
            }
            *connections += 1;
        }
        let tracked = Tracked { connection, peer, phase: Phase::Fresh, steps: 0, since: Instant::now() };
        open.connections.insert(id, tracked);
        true
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut open = self.lock();
        let Some(peer) = open.connections.remove(&id).and_then(|tracked| tracked.peer) else { return };
        if let Entry::Occupied(mut connections) = open.peers.entry(peer) {
            *connections.get_mut() -= 1;
            if *connections.get() == 0 {
                connections.remove();
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().connections.len()
    }

    /// Looks at every connection once and orders what is due.
    pub(crate) fn sweep(&self, now: Instant, mood: Mood) {
        let mut open = self.lock();
        let mut slow = Vec::new();
        for tracked in open.connections.values_mut() {
            let connection = &tracked.connection;
            let phase = connection.phase();
            // A reader slower than we are is found waiting at every look: what it took in between tells.
            let steps = match phase {
                Phase::Stalled => connection.written(),
                Phase::Body => connection.pieces(),
                _ => connection.requests(),
            };
            if (phase, steps) != (tracked.phase, tracked.steps) {
                (tracked.phase, tracked.steps, tracked.since) = (phase, steps, now);
            }
            if connection.is_http2() && connection.has_stalled_answer(now, self.limits.stall) {
                connection.order(Order::Abort);
            }
            let age = now.saturating_duration_since(tracked.since);
            if let Some(order) = self.limits.due(phase, age, mood, connection.is_http2()) {
                connection.order(order);
            } else if mood == Mood::Crowded && Limits::is_slow(phase, age) {
                slow.push((age, Arc::clone(connection)));
            }
        }
        drop(open);
        // No idle connection has to go before those that wait for their client longest.
        slow.sort_unstable_by_key(|(age, _)| std::cmp::Reverse(*age));
        for (_, connection) in slow.into_iter().take(self.evicted_max) {
            connection.order(Order::Abort);
        }
    }

    /// Ends every connection now; how many requests that cut off.
    pub(crate) fn abort_all(&self) -> usize {
        let open = self.lock();
        let cut = open.connections.values().map(|tracked| tracked.connection.in_flight() as usize).sum();
        for tracked in open.connections.values() {
            tracked.connection.order(Order::Abort);
        }
        cut
    }

    /// A panic elsewhere leaves a table that is still true: the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The unit that counts as one address: of IPv6 a /64 network, which one host usually has to itself.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

impl Limits {
    /// Whether it is the client who has kept this connection waiting.
    fn is_slow(phase: Phase, age: Duration) -> bool {
        matches!(phase, Phase::Fresh | Phase::Head | Phase::Body | Phase::Stalled) && age >= CROWDED_IDLE
    }

    fn due(&self, phase: Phase, age: Duration, mood: Mood, http2: bool) -> Option<Order> {
        let idle = if mood == Mood::Crowded { self.idle.min(CROWDED_IDLE) } else { self.idle };
        match phase {
            // A connection that began HTTP/2 and sent nothing more: the client, which keeps spare connections, gets a GOAWAY.
            Phase::Fresh if http2 && age >= self.head && age < self.head * 2 => Some(Order::Close),
            Phase::Fresh if age >= self.head => Some(Order::Abort),
            Phase::Head if age >= self.head => Some(Order::HeadTimedOut),
            Phase::Stalled if age >= self.stall => Some(Order::Abort),
            Phase::Lingering if age >= LINGER_MAX => Some(Order::Abort),
            // A close that the client does not follow ends all the same.
            Phase::Idle if age >= idle + self.head => Some(Order::Abort),
            Phase::Idle if age >= idle => Some(Order::Close),
            // GOAWAY lets requests that are on their way finish: nothing to wait for.
            Phase::Idle | Phase::Busy | Phase::Body | Phase::Fresh if mood == Mood::Draining => {
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
