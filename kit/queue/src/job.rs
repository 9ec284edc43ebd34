//! A job to be enqueued: its kind, its time, its attempts, and the jobs that must not run at the same time.

use std::fmt;
use std::time::Duration;

use pando_clock::Timestamp;
use pando_resilience::Tenant;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::QueueError;

/// The queue of jobs that name none.
pub const DEFAULT_QUEUE: &str = "default";

/// The priority of jobs that name none; 9 is the most urgent, 0 can wait.
pub const DEFAULT_PRIORITY: u8 = 5;

/// Something to be done. `Job { priority: 9, ..Job::new("mail", payload) }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Which handler runs it.
    pub kind: String,
    /// The data for the handler.
    pub payload: Value,
    /// Its id, if it must be known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Where it waits.
    #[serde(default = "default_queue")]
    pub queue: String,
    /// 9 is the most urgent, 0 can wait.
    #[serde(default = "default_priority")]
    pub priority: u8,
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// How often it is tried before it is dead.
    #[serde(default = "default_attempts")]
    pub attempts_max: u16,
    /// How long one attempt may take, and how long to wait between two.
    #[serde(flatten)]
    pub settings: Settings,
    /// The rule that prevents a second job of this kind and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<Unique>,
    /// Jobs of one lane run one after the other, in the order in which they were committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// The tenant that owns the job. Its keys, its lane and its rate are the tenant's own, and in a fair queue tenants take turns.
    #[serde(default, skip_serializing_if = "Tenant::is_default")]
    pub tenant: Tenant,
    /// The key under which the queue's rate limit counts the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_key: Option<String>,
    /// The batch it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Uuid>,
    /// The jobs that follow when this one is completed, one after the other. Each gets the result of the job before it as
    /// `previous` in its payload, if the payload is an object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Self>,
}

/// Settings that most jobs leave at their defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How long one attempt may take; 60 s unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The pauses after the first attempt, the second, …, the last one again and again; with full jitter growing
    /// pauses up to 6 h unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pauses_ms: Option<Vec<u64>>,
}

/// Rules that prevent a second job of the same kind and key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unique {
    /// Until the first one starts: a change during its run enqueues another.
    WhileWaiting(String),
    /// Until the first one ends.
    WhileLive(String),
    /// For this long after the first one was enqueued, whatever became of it.
    Within(String, Duration),
}

/// The result of an [`enqueue`](crate::Queue::enqueue).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// The job's id; the id of the one that was there already, if there was.
    pub id: Uuid,
    /// Whether it is new.
    pub fresh: bool,
    /// Where it is on its way: a new one waits, or is scheduled.
    pub state: JobState,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When it may begin.
    pub run_at: Timestamp,
}

/// Where a job is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its moment has not come.
    Scheduled,
    /// It waits for a worker.
    Pending,
    /// A worker has it.
    Running,
    /// It was done.
    Completed,
    /// It was cancelled.
    Cancelled,
    /// It failed too often, or its handler gave up.
    Dead,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Pending, Self::Running, Self::Completed, Self::Cancelled, Self::Dead];

    /// Its name in the table, in metrics and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Dead)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn default_queue() -> String {
    DEFAULT_QUEUE.to_owned()
}

fn default_priority() -> u8 {
    DEFAULT_PRIORITY
}

fn default_attempts() -> u16 {
    25
}

impl Job {
    /// A job of this kind, to be run as soon as possible.
    pub fn new(kind: impl Into<String>, payload: Value) -> Self {
        Self {
            kind: kind.into(),
            payload,
            id: None,
            queue: default_queue(),
            priority: DEFAULT_PRIORITY,
            run_at: None,
            attempts_max: default_attempts(),
            settings: Settings::default(),
            unique: None,
            lane: None,
            tenant: Tenant::default(),
            rate_key: None,
            batch: None,
            then: Vec::new(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), QueueError> {
        if !is_name(&self.kind) {
            return Err(QueueError::bad_job("kind", "1 to 100 letters, digits, `_`, `-`, `.` or `:`"));
        }
        if !is_name(&self.queue) {
            return Err(QueueError::bad_job("queue", "1 to 100 letters, digits, `_`, `-`, `.` or `:`"));
        }
        if self.priority > 9 {
            return Err(QueueError::bad_job("priority", "0 to 9"));
        }
        if self.attempts_max == 0 {
            return Err(QueueError::bad_job("attempts_max", "at least 1"));
        }
        if self.settings.timeout_ms == Some(0) {
            return Err(QueueError::bad_job("timeout_ms", "at least 1"));
        }
        let keys = [self.unique.as_ref().map(Unique::key), self.lane.as_deref(), self.rate_key.as_deref()];
        if keys.into_iter().flatten().any(|key| key.len() > 500) {
            return Err(QueueError::bad_job("unique, lane, rate_key", "at most 500 bytes"));
        }
        self.then.iter().try_for_each(Self::check)
    }

    /// A job of a tenant; those that follow it are the tenant's, too.
    pub fn of_tenant(self, tenant: &Tenant) -> Self {
        let then = self.then.into_iter().map(|job| job.of_tenant(tenant)).collect();
        Self { tenant: tenant.clone(), then, ..self }
    }

    /// The job with its keys among those of all tenants.
    pub(crate) fn scoped(self) -> Self {
        let tenant = self.tenant.clone();
        let scoped = |key: String| tenant.scoped(&key).into_owned();
        let unique = self.unique.map(|unique| match unique {
            Unique::WhileWaiting(key) => Unique::WhileWaiting(scoped(key)),
            Unique::WhileLive(key) => Unique::WhileLive(scoped(key)),
            Unique::Within(key, window) => Unique::Within(scoped(key), window),
        });
        Self { unique, lane: self.lane.map(scoped), rate_key: self.rate_key.map(scoped), ..self }
    }
}

impl Unique {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::WhileWaiting(key) | Self::WhileLive(key) | Self::Within(key, _) => key,
        }
    }

    pub(crate) fn scope(&self) -> &'static str {
        match self {
            Self::WhileWaiting(_) => "waiting",
            Self::WhileLive(_) => "live",
            Self::Within(..) => "window",
        }
    }
}

/// A name that can stand in a URL, a metric and a message.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    !name.is_empty() && name.len() <= 100 && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_the_trip_through_json() {
        let job = Job {
            settings: Settings { timeout_ms: Some(5), pauses_ms: Some(vec![1, 2]) },
            then: vec![Job::new("next", Value::Null)],
            unique: Some(Unique::Within("k".into(), Duration::from_secs(3))),
            ..Job::new("first", serde_json::json!({"a": 1}))
        };
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
    }

    #[test]
    fn names_that_would_break_a_message_or_a_metric_are_refused() {
        for (kind, fine) in [("a.b-c_d:1", true), ("", false), ("a b", false), ("é", false)] {
            assert_eq!(Job::new(kind, Value::Null).check().is_ok(), fine, "{kind:?}");
        }
    }
}
