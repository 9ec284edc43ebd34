//! A job as it is stored in its row.

use pando_clock::Timestamp;
use pando_resilience::Tenant;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::JobState;

/// A job as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobRecord {
    /// Its id.
    pub id: Uuid,
    /// Where it waits.
    pub queue: String,
    /// Which handler runs it.
    pub kind: String,
    /// The data for the handler. Lists leave out the payload and the result, because both may be large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// 9 is the most urgent.
    pub priority: i64,
    /// Where it is on its way.
    pub state: JobState,
    /// When it is, or was, due.
    pub run_at: Timestamp,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How many attempts there were.
    pub attempts: i64,
    /// How many there may be.
    pub attempts_max: i64,
    /// Somebody wants it cancelled.
    pub cancel_requested: bool,
    /// The tenant that owns it.
    #[serde(skip_serializing_if = "Tenant::is_default")]
    pub tenant: Tenant,
    /// Its lane.
    pub lane: Option<String>,
    /// Its batch.
    pub batch: Option<Uuid>,
    /// How far it says that it has come.
    pub progress: Option<Value>,
    /// The result of the job.
    pub result: Option<Value>,
    /// Why its last attempt failed.
    pub error: Option<String>,
    /// One for all errors of this shape.
    pub fingerprint: Option<String>,
}
