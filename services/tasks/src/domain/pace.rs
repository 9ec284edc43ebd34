//! How often a watcher reads a task again. A change by this process wakes the watcher at once. The watcher finds
//! changes by other processes by reading, with pauses that grow while nothing happens.

use std::time::Duration;

use pando_clock::Timestamp;
use tokio::time::Instant;

use crate::{Task, TaskStatus};

/// The shortest pause.
const SOONEST: Duration = Duration::from_millis(200);
/// The longest pause while a worker may run the task.
const LATEST: Duration = Duration::from_secs(2);
/// The longest pause before the task is due: until then it can only be cancelled.
const LATEST_BEFORE_DUE: Duration = Duration::from_secs(5);
/// A pause is the quiet time divided by this, so a change is noticed late by at most a quarter of its own age.
const PATIENCE: u32 = 4;

/// The pace of one watcher of one task.
#[derive(Debug)]
pub(crate) struct Pace {
    quiet_since: Instant,
}

impl Pace {
    /// The pace after a change at this moment.
    pub(crate) fn from(now: Instant) -> Self {
        Self { quiet_since: now }
    }

    /// The pause until the next read.
    pub(crate) fn pause(&mut self, task: &Task, now: Instant, moment: Timestamp) -> Duration {
        let micros = task.run_at.as_micros() - moment.as_micros();
        if task.status == TaskStatus::Scheduled && micros > 0 {
            // From when it is due, it may change at any time.
            self.quiet_since = now;
            return Duration::from_micros(micros.unsigned_abs()).clamp(SOONEST, LATEST_BEFORE_DUE);
        }
        let quiet = now.saturating_duration_since(self.quiet_since);
        (quiet / PATIENCE).clamp(SOONEST, LATEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due() -> Timestamp {
        Timestamp::from_micros(1_767_225_600_000_000)
    }

    fn task(status: TaskStatus) -> Task {
        Task {
            id: uuid::Uuid::nil(),
            task_type: "echo".to_owned(),
            status,
            progress: None,
            attempts: 0,
            result: None,
            error: None,
            created_at: due(),
            run_at: due(),
            updated_at: due(),
            completed_at: None,
        }
    }

    /// How often a task is read in the minutes after somebody began to watch it.
    fn looks(status: TaskStatus, mut moment: Timestamp, minutes: u64) -> u64 {
        let began = Instant::now();
        let (mut pace, mut now, mut looks) = (Pace::from(began), began, 0);
        while now < began + Duration::from_secs(60 * minutes) {
            let pause = pace.pause(&task(status), now, moment);
            now += pause;
            moment = moment.plus_micros(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX));
            looks += 1;
        }
        looks
    }

    #[test]
    fn the_longer_nothing_happens_the_less_often_it_looks() {
        // Five times a second would be 300 a minute.
        assert_eq!(looks(TaskStatus::Processing, due(), 1), 41);
        assert_eq!(looks(TaskStatus::Processing, due(), 10) - looks(TaskStatus::Processing, due(), 9), 30);
        let long_before = due().plus_micros(-3_600_000_000);
        assert_eq!(looks(TaskStatus::Scheduled, long_before, 1), 12);
    }

    #[test]
    fn it_looks_when_the_task_is_due_and_then_as_if_it_were_new() {
        let (began, before) = (Instant::now(), due().plus_micros(-1_500_000));
        let mut pace = Pace::from(began);
        let now = began + Duration::from_secs(3_600);
        assert_eq!(pace.pause(&task(TaskStatus::Scheduled), now, before), Duration::from_millis(1_500));
        let later = now + Duration::from_millis(1_500);
        let soon = pace.pause(&task(TaskStatus::Pending), later, due());
        assert!(soon < Duration::from_millis(400), "{soon:?}");
    }
}
