//! Shows the outcome for each business of a batch, page by page.

use std::collections::HashMap;

use pando_service::FieldError;
use pando_service::prelude::*;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Risk;
use crate::domain::assessment::Assessment;
use crate::domain::batch::{ItemStatus, StoredItem};
use crate::domain::ids;
use crate::get_batch::{error_of, next_offset};
use crate::store::{self, batches};

/// A page of results.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchResults {
    /// The batch.
    pub batch_id: String,
    /// The outcomes, in the order of the request.
    pub results: Vec<BatchResult>,
    /// All outcomes so far.
    pub summary: BatchSummary,
    /// The path of this page, to be downloaded.
    pub download_url: String,
    /// The `offset` of the next page; null on the last one.
    pub next_offset: Option<usize>,
}

/// The outcome for one business.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BatchJobResult)]
pub struct BatchResult {
    /// Its place in the request, from 0.
    pub request_index: i64,
    /// The outcome.
    pub status: ItemStatus,
    /// The description as it came.
    #[schema(value_type = Object)]
    pub request: Value,
    /// The assessment, if there is one.
    pub response: Option<Assessment>,
    /// Why there is none.
    pub error: Option<String>,
    /// Every bad field, if the business is described badly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub validation: Vec<FieldError>,
    /// How many milliseconds the decision took.
    pub duration: Option<f64>,
}

/// All outcomes of a batch so far.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BatchJobSummary)]
pub struct BatchSummary {
    /// The share of businesses that were assessed among those with an outcome; null before there are any.
    pub success_rate: Option<f64>,
    /// How many milliseconds a decision took; null before there are any.
    pub average_duration_ms: Option<f64>,
    /// The fastest.
    pub min_duration_ms: Option<f64>,
    /// The slowest.
    pub max_duration_ms: Option<f64>,
    /// All of them together.
    pub total_duration_ms: Option<f64>,
}

impl Risk {
    /// A page of the results of a batch.
    pub async fn batch_results(
        &self,
        call: &Call,
        id: Uuid,
        (offset, count): (usize, usize),
    ) -> Result<BatchResults, Fault> {
        let batch = self.batch(call, id).await?;
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let items = batches::items(&read, (tenant, id), (offset, count)).await?;
        let made: Vec<Uuid> = items.iter().filter_map(|item| item.assessment_id).collect();
        let made = store::of_ids(&read, tenant, made).await?;
        let mut made: HashMap<Uuid, Assessment> = made.iter().map(|one| (one.id, one.shown())).collect();
        let durations = batches::durations(&read, (tenant, id)).await?;
        let some = |micros: i64| (durations.count > 0).then_some(milliseconds(micros));
        #[expect(clippy::cast_precision_loss, reason = "a batch has ten thousand businesses at most")]
        let share = |part: i64, all: i64| (all > 0).then(|| part as f64 / all as f64);
        let batch_id = ids::BATCH.show(id);
        Ok(BatchResults {
            download_url: format!("/api/v1/assess/batch/{batch_id}/results?limit={count}&offset={offset}"),
            batch_id,
            next_offset: next_offset(&batch, &items, offset),
            results: items.into_iter().map(|item| result(item, &mut made)).collect(),
            summary: BatchSummary {
                success_rate: share(batch.succeeded, batch.done()),
                average_duration_ms: share(durations.sum, durations.count).map(|micros| micros / 1_000.0),
                min_duration_ms: some(durations.min),
                max_duration_ms: some(durations.max),
                total_duration_ms: some(durations.sum),
            },
        })
    }
}

fn result(item: StoredItem, made: &mut HashMap<Uuid, Assessment>) -> BatchResult {
    BatchResult {
        request_index: item.place,
        status: item.status,
        error: error_of(&item),
        response: item.assessment_id.and_then(|id| made.remove(&id)),
        request: item.input,
        validation: item.validation,
        duration: item.micros.map(milliseconds),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration has fewer than 52 bits")]
fn milliseconds(micros: i64) -> f64 {
    micros as f64 / 1_000.0
}
