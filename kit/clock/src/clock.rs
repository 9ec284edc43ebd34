//! The clock: the clock of the machine, or a scripted one.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::{ContextV7, Timestamp as UuidTimestamp, Uuid};

use crate::Timestamp;

thread_local! {
    // One context a thread: the shared one of the uuid crate is a lock, eight times dearer under load.
    static CONTEXT: RefCell<ContextV7> = const { RefCell::new(ContextV7::new()) };
}

/// Where the time and fresh ids come from. Cloning shares the clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Scripted(Arc<Script>),
}

#[derive(Debug)]
struct Script {
    micros: AtomicI64,
    ids: AtomicU64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    pub fn scripted(start: Timestamp) -> Self {
        Self(Source::Scripted(Arc::new(Script {
            micros: AtomicI64::new(start.as_micros()),
            ids: AtomicU64::new(0),
        })))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Scripted(script) => Timestamp::from_micros(script.micros.load(Ordering::SeqCst)),
        }
    }

    /// A fresh UUIDv7, greater than every id this thread made before.
    pub fn fresh_id(&self) -> Uuid {
        match &self.0 {
            Source::System => CONTEXT.with_borrow(|context| {
                let micros = u64::try_from(system_now().as_micros()).unwrap_or(0);
                let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
                Uuid::new_v7(UuidTimestamp::from_unix(context, micros / 1_000_000, nanos))
            }),
            Source::Scripted(script) => {
                let count = script.ids.fetch_add(1, Ordering::SeqCst);
                let millis = u64::try_from(script.micros.load(Ordering::SeqCst) / 1_000).unwrap_or(0);
                let mut tail = [0; 10];
                tail[2..].copy_from_slice(&count.to_be_bytes());
                uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
            }
        }
    }

    /// Moves a scripted clock forward.
    ///
    /// # Panics
    /// On the machine's clock, which this program must not move.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System => panic!("only a scripted clock can be advanced"),
            Source::Scripted(script) => {
                let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
                script.micros.fetch_add(micros, Ordering::SeqCst);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
fn system_now() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        Err(before) => {
            Timestamp::from_micros(-i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_thread_only_go_up() {
        let clock = Clock::system();
        let ids: Vec<Uuid> = (0..10_000).map(|_| clock.fresh_id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn a_script_is_repeatable() {
        let start = Timestamp::from_micros(1_767_225_600_000_000);
        let (one, two) = (Clock::scripted(start), Clock::scripted(start));
        for _ in 0..3 {
            assert_eq!(one.fresh_id(), two.fresh_id());
            one.advance(Duration::from_millis(5));
            two.advance(Duration::from_millis(5));
        }
        assert_eq!(one.now(), start.plus_micros(15_000));
    }
}
