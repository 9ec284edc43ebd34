//! How an attempt ends, as its handler says it, and when the next attempt starts.

use std::fmt;
use std::time::Duration;

use pando_clock::Timestamp;
use pando_database::DatabaseError;
use serde_json::Value;
use uuid::Uuid;

use crate::QueueError;
use crate::job::Settings;

/// The first pause between attempts at its longest; it doubles with each attempt.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(6 * 3_600);
/// How much of an error's text is kept.
const ERROR_CHARS_MAX: usize = 2_000;

/// Why an attempt failed, and what shall become of the job. Chosen by the author of the job at each `?`.
#[derive(Clone, Debug)]
pub enum JobError {
    /// Try again after the usual pause, as long as there are attempts left.
    Retry(String),
    /// Try again after this time, as long as there are attempts left.
    RetryAfter(Duration, String),
    /// No attempt will ever succeed: the job is dead at once.
    GiveUp(String),
}

impl JobError {
    /// Try again after the usual pause.
    pub fn retry(error: impl fmt::Display) -> Self {
        Self::Retry(error.to_string())
    }

    /// Try again after this time.
    pub fn retry_after(pause: Duration, error: impl fmt::Display) -> Self {
        Self::RetryAfter(pause, error.to_string())
    }

    /// Never try again.
    pub fn give_up(error: impl fmt::Display) -> Self {
        Self::GiveUp(error.to_string())
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Retry(text) | Self::RetryAfter(_, text) | Self::GiveUp(text) => text,
        }
    }
}

/// A database that did not do it may do it later.
impl From<DatabaseError> for JobError {
    fn from(error: DatabaseError) -> Self {
        Self::retry(error)
    }
}

impl From<QueueError> for JobError {
    fn from(error: QueueError) -> Self {
        Self::retry(error)
    }
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Completed(Value),
    /// Tried again at this moment.
    Again(Timestamp, String),
    Dead(String),
    Cancelled,
    /// It did not run, or not to its end: the attempt does not count.
    HandedBack,
    /// Its own transaction settled it, or another attempt has it now.
    Settled,
}

impl Verdict {
    /// The verdict about a job whose attempt failed, the `attempts`th of `attempts_max`.
    pub(crate) fn of_failure(
        error: &JobError,
        (attempts, attempts_max): (i64, i64),
        settings: &Settings,
        now: Timestamp,
        random: Uuid,
    ) -> Self {
        let text = clean(error.text());
        let pause = match error {
            JobError::GiveUp(_) => return Self::Dead(text),
            _ if attempts >= attempts_max => return Self::Dead(text),
            JobError::RetryAfter(pause, _) => *pause,
            JobError::Retry(_) => pause(attempts, settings.pauses_ms.as_deref(), random),
        };
        let micros = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
        Self::Again(now.plus_micros(micros), text)
    }
}

/// The pause after the `attempts`th attempt: from the job's own list, or anything up to a bound that doubles.
fn pause(attempts: i64, list: Option<&[u64]>, random: Uuid) -> Duration {
    let index = usize::try_from(attempts.max(1) - 1).unwrap_or(usize::MAX);
    if let Some(list) = list.filter(|list| !list.is_empty()) {
        return Duration::from_millis(list[index.min(list.len() - 1)]);
    }
    let doublings = u32::try_from(index).unwrap_or(u32::MAX).min(30);
    let bound = PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX);
    // The tail of an id is random: full jitter keeps those that failed together from coming back together.
    let share = f64::from(u32::from_be_bytes([
        random.as_bytes()[12],
        random.as_bytes()[13],
        random.as_bytes()[14],
        random.as_bytes()[15],
    ])) / f64::from(u32::MAX);
    bound.mul_f64(share)
}

/// A text that every engine keeps, and not more of it than helps.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|letter| *letter != '\0').take(ERROR_CHARS_MAX).collect()
}

/// One for all errors that differ in numbers, ids and quoted values only.
pub(crate) fn fingerprint(kind: &str, error: &str) -> String {
    let mut shape = format!("{kind}\n");
    let mut quoted = None;
    for word in error.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-') {
        let (word, end) = match word.char_indices().next_back() {
            Some((at, letter)) if !letter.is_ascii_alphanumeric() && letter != '-' => {
                (&word[..at], Some(letter))
            }
            _ => (word, None),
        };
        if quoted.is_none() {
            shape.push_str(if word.bytes().any(|byte| byte.is_ascii_digit()) { "0" } else { word });
        }
        match end {
            Some(mark @ ('"' | '`')) if quoted == Some(mark) => quoted = None,
            Some(mark @ ('"' | '`')) if quoted.is_none() => quoted = Some(mark),
            Some(letter) if quoted.is_none() => shape.push(letter),
            _ => {}
        }
    }
    blake3::hash(shape.as_bytes()).to_hex().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(tail: u8) -> Uuid {
        Uuid::from_bytes([tail; 16])
    }

    #[test]
    fn pauses_double_up_to_six_hours_and_are_anything_below() {
        for (attempts, tail, seconds) in
            [(1, 0xff, 1.0), (2, 0xff, 2.0), (5, 0xff, 16.0), (40, 0xff, 21_600.0), (5, 0, 0.0)]
        {
            assert_eq!(pause(attempts, None, random(tail)), Duration::from_secs_f64(seconds));
        }
        let middle = pause(5, None, random(0x80)).as_secs_f64();
        assert!((8.0..8.1).contains(&middle), "{middle}");
    }

    #[test]
    fn a_list_of_pauses_ends_with_its_last() {
        let list: &[u64] = &[1_000, 2_000, 4_000];
        let seconds: Vec<u64> = (1..=5).map(|n| pause(n, Some(list), random(7)).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 4, 4]);
    }

    #[test]
    fn errors_that_differ_in_values_only_are_one() {
        let one = fingerprint("mail", "no route to host 10.0.0.1 for \"ann b\" after 31ms");
        assert_eq!(one, fingerprint("mail", "no route to host 10.2.0.17 for \"bob\" after 7ms"));
        assert_ne!(one, fingerprint("mail", "refused by host 10.0.0.1 for \"ann b\" after 31ms"));
        assert_ne!(one, fingerprint("sms", "no route to host 10.0.0.1 for \"ann b\" after 31ms"));
        let ids = ["019aa1d2-3b4c-7d5e-8f60-718293a4b5c6", "019aa1d2-0000-7000-8000-000000000000"];
        assert_eq!(fingerprint("x", ids[0]), fingerprint("x", ids[1]));
    }

    #[test]
    fn the_last_attempt_buries_and_giving_up_does_so_at_once() {
        let settings = Settings::default();
        let verdict = |error: JobError, attempts| {
            Verdict::of_failure(&error, (attempts, 3), &settings, Timestamp::from_micros(0), random(1))
        };
        assert!(matches!(verdict(JobError::retry("x"), 2), Verdict::Again(..)));
        assert!(matches!(verdict(JobError::retry("x"), 3), Verdict::Dead(_)));
        assert!(matches!(verdict(JobError::give_up("x"), 1), Verdict::Dead(_)));
        let after = verdict(JobError::retry_after(Duration::from_secs(9), "x"), 1);
        assert!(matches!(after, Verdict::Again(at, _) if at.as_micros() == 9_000_000));
    }
}
