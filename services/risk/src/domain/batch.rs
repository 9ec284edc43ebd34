//! A batch of businesses that a job assesses: its state, and the outcome for each business.

use pando_queue::{Job, JobType, QueueError, Unique};
use pando_service::FieldError;
use pando_service::name_in;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ids;

/// The job that assesses the businesses of a batch.
pub(crate) const RUN: JobType<OfBatch> = JobType::new("risk_batch").within_ms(3_600_000);

/// The events of batches.
pub(crate) const STARTED: &str = "batch_job.started";
pub(crate) const COMPLETED: &str = "batch_job.completed";
pub(crate) const FAILED: &str = "batch_job.failed";

/// The payload of the job.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OfBatch {
    pub(crate) batch: Uuid,
    /// The run of the batch for which the job was enqueued.
    pub(crate) run: i64,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BatchJobStatus)]
pub enum BatchStatus {
    /// No business was assessed yet.
    Pending,
    /// Businesses are being assessed.
    Processing,
    /// Each business has its outcome.
    Completed,
    /// It failed too often.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// The outcome for one business of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BatchItemStatus)]
pub enum ItemStatus {
    /// It is still to be assessed.
    Pending,
    /// It was assessed.
    Success,
    /// It could not be assessed.
    Failed,
    /// The batch was cancelled before.
    Skipped,
}

/// A batch that a job works on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchJob {
    /// Its id.
    #[schema(pattern = "^batch_[0-9a-f]{32}$")]
    pub id: String,
    /// The same.
    pub batch_id: String,
    /// `risk_assessment`.
    pub job_type: String,
    /// Where it stands.
    pub status: BatchStatus,
    /// How many businesses it has.
    pub total_requests: i64,
    /// How many were assessed.
    pub completed: i64,
    /// How many could not be assessed.
    pub failed: i64,
    /// How many were skipped, because the batch was cancelled.
    pub skipped: i64,
    /// How many hundredths are done, from 0 to 100.
    pub progress: i64,
    /// From 1 to 10; 10 is the most urgent.
    pub priority: i64,
    /// How often the whole batch was tried again after an error of the server.
    pub retry_count: i64,
    /// How often it may be.
    pub max_retries: i64,
    /// The data that the caller gave with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// The name that the caller gave, or the caller.
    pub created_by: String,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its job began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// When anything of it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When it will be done, by its pace so far; null before the first businesses are assessed, and after it was resumed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub estimated_time: Option<Timestamp>,
}

/// A batch in the older form of `POST /batch/assess`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchReceipt {
    /// Its id.
    #[schema(pattern = "^batch_[0-9a-f]{32}$")]
    pub batch_id: String,
    /// `queued`, `processing`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// How many businesses it has.
    pub total_businesses: i64,
    /// How many have an outcome.
    pub processed_businesses: i64,
    /// How many could not be assessed.
    pub failed_businesses: i64,
    /// When it will be done, by its pace so far; null before the first businesses are assessed, and after it was resumed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub estimated_completion_time: Option<Timestamp>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A batch as its row has it.
#[derive(Clone, Debug)]
pub(crate) struct StoredBatch {
    pub(crate) id: Uuid,
    pub(crate) status: BatchStatus,
    pub(crate) total: i64,
    pub(crate) succeeded: i64,
    pub(crate) failed: i64,
    pub(crate) skipped: i64,
    pub(crate) priority: i64,
    pub(crate) retries: i64,
    pub(crate) retries_max: i64,
    pub(crate) run: i64,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) user: String,
    pub(crate) created_by: String,
    pub(crate) error: Option<String>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) updated_at: Timestamp,
}

/// The outcome for one business, as its row has it.
#[derive(Clone, Debug)]
pub(crate) struct StoredItem {
    pub(crate) place: i64,
    pub(crate) status: ItemStatus,
    pub(crate) input: Value,
    pub(crate) business_id: Option<Uuid>,
    pub(crate) assessment_id: Option<Uuid>,
    pub(crate) score: Option<f64>,
    pub(crate) validation: Vec<FieldError>,
    pub(crate) error: Option<String>,
    pub(crate) micros: Option<i64>,
}

/// The data of the events of batches.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchEvent {
    /// The id of the batch.
    id: String,
    status: String,
    total_requests: i64,
    completed: i64,
    failed: i64,
}

impl BatchStatus {
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("pending", Self::Pending),
        ("processing", Self::Processing),
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("cancelled", Self::Cancelled),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }

    /// Whether a job works on the batch, or will.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Processing)
    }
}

impl ItemStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl StoredBatch {
    /// How many businesses have an outcome.
    pub(crate) fn done(&self) -> i64 {
        self.succeeded + self.failed + self.skipped
    }

    /// When the batch will be done if it goes on at its pace so far.
    fn estimated(&self) -> Option<Timestamp> {
        let has_pace = self.status == BatchStatus::Processing && self.run == 1;
        let started = self.started_at.filter(|_| has_pace)?;
        let (done, left) = (i128::from(self.done()), i128::from(self.total - self.done()));
        let taken = i128::from(self.updated_at.as_micros() - started.as_micros());
        let left = i64::try_from((taken * left).checked_div(done)?).ok()?;
        Some(self.updated_at.plus_micros(left))
    }

    /// The batch as its callers see it.
    pub(crate) fn shown(&self) -> BatchJob {
        let id = ids::BATCH.show(self.id);
        BatchJob {
            id: id.clone(),
            batch_id: id,
            job_type: "risk_assessment".to_owned(),
            status: self.status,
            total_requests: self.total,
            completed: self.succeeded,
            failed: self.failed,
            skipped: self.skipped,
            progress: self.done() * 100 / self.total.max(1),
            priority: self.priority,
            retry_count: self.retries,
            max_retries: self.retries_max,
            metadata: self.metadata.clone(),
            created_by: self.created_by.clone(),
            error: self.error.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            completed_at: self.ended_at,
            updated_at: self.updated_at,
            estimated_time: self.estimated(),
        }
    }

    /// The batch in its older form.
    pub(crate) fn receipt(&self) -> BatchReceipt {
        let status = if self.status == BatchStatus::Pending { "queued" } else { self.status.as_str() };
        BatchReceipt {
            batch_id: ids::BATCH.show(self.id),
            status: status.to_owned(),
            total_businesses: self.total,
            processed_businesses: self.done(),
            failed_businesses: self.failed,
            estimated_completion_time: self.estimated(),
            created_at: self.created_at,
        }
    }

    /// A change of the batch, for events and the audit log.
    pub(crate) fn change(&self, event: &'static str) -> Change {
        let data = json!(BatchEvent {
            id: ids::BATCH.show(self.id),
            status: self.status.as_str().to_owned(),
            total_requests: self.total,
            completed: self.succeeded,
            failed: self.failed,
        });
        Change { event, id: self.id, version: self.version, data }
    }

    /// The job of the present run. One of a run that lives already is not enqueued again.
    pub(crate) fn job(&self, tenant: &Tenant) -> Result<Job, QueueError> {
        let job = RUN.job(&OfBatch { batch: self.id, run: self.run })?;
        let unique = Some(Unique::WhileLive(format!("batch:{}:{}", self.id, self.run)));
        let priority = u8::try_from(self.priority - 1).unwrap_or_default().min(9);
        Ok(Job { unique, priority, ..job }.of_tenant(tenant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_batch_is_estimated_by_its_pace_and_not_before_there_is_one() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let mut batch = StoredBatch {
            id: Uuid::from_u128(1),
            status: BatchStatus::Processing,
            total: 100,
            succeeded: 20,
            failed: 5,
            skipped: 0,
            priority: 5,
            retries: 0,
            retries_max: 3,
            run: 1,
            metadata: Map::new(),
            user: String::new(),
            created_by: String::new(),
            error: None,
            version: 1,
            created_at: at(0),
            started_at: Some(at(10)),
            ended_at: None,
            updated_at: at(20),
        };
        assert_eq!((batch.estimated(), batch.shown().progress), (Some(at(50)), 25));
        (batch.succeeded, batch.failed) = (0, 0);
        assert_eq!(batch.estimated(), None);
        batch.status = BatchStatus::Pending;
        assert_eq!((batch.estimated(), batch.receipt().status.as_str()), (None, "queued"));
    }
}
