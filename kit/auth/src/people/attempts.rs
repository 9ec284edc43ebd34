//! Failed logins of each address, in bounded memory.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use pando_clock::{Clock, Timestamp};
use quick_cache::sync::Cache;

use super::LoginError;

/// How many failed logins an address may have within the window.
const FAILURES_MAX: u32 = 20;
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// How many addresses are remembered.
const ADDRESSES_MAX: usize = 10_000;

/// The failed logins of the addresses that had some of late.
pub(super) struct Attempts {
    clock: Clock,
    failures: Cache<IpAddr, (Timestamp, u32)>,
}

impl Attempts {
    pub(super) fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), failures: Cache::new(ADDRESSES_MAX) }
    }

    /// Refuses an address with too many of them.
    pub(super) fn allow(&self, client: IpAddr) -> Result<(), LoginError> {
        match self.recent(client) {
            Some((since, failures)) if failures >= FAILURES_MAX => {
                let left = micros(WINDOW) - (self.clock.now().as_micros() - since.as_micros());
                Err(LoginError::TooMany { seconds: u64::try_from(left / 1_000_000 + 1).unwrap_or(1) })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&self, client: IpAddr) {
        let (since, failures) = self.recent(client).unwrap_or((self.clock.now(), 0));
        self.failures.insert(network(client), (since, failures.saturating_add(1)));
    }

    fn recent(&self, client: IpAddr) -> Option<(Timestamp, u32)> {
        let known = self.failures.get(&network(client))?;
        (self.clock.now() < known.0.plus_micros(micros(WINDOW))).then_some(known)
    }
}

/// One customer of a provider has a whole /64 of IPv6.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

/// As the clock counts.
pub(super) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_many_failures_is_refused_for_a_while() {
        let clock = Clock::scripted(Timestamp::from_micros(1_800_000_000_000_000));
        let attempts = Attempts::new(&clock);
        let [one, neighbour, other] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        for _ in 0..FAILURES_MAX {
            assert!(attempts.allow(one).is_ok());
            attempts.failed(one);
        }
        assert!(attempts.allow(other).is_ok());
        clock.advance(WINDOW - Duration::from_secs(1));
        let refused = attempts.allow(neighbour);
        assert!(matches!(refused, Err(LoginError::TooMany { seconds: 1..=2 })), "{refused:?}");
        clock.advance(Duration::from_secs(1));
        assert!(attempts.allow(one).is_ok());
    }
}
