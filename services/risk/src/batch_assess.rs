//! Assesses many businesses at once.

use pando_service::prelude::*;
use pando_service::{FieldError, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::assessment::{Assessed, Assessment};
use crate::domain::business::Business;
use crate::domain::events;
use crate::store;

/// How many businesses a batch may have.
pub const BATCH_MAX: usize = 100;

/// The outcome of a batch, in the order of the request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AssessmentBatch)]
pub struct Batch {
    /// An id of the batch.
    pub batch_id: String,
    /// `completed`.
    pub status: String,
    /// How many businesses it has.
    pub total: usize,
    /// How many were assessed.
    pub completed: usize,
    /// How many were not.
    pub failed: usize,
    /// The outcome for each business.
    pub results: Vec<BatchItem>,
}

/// The outcome for one business of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AssessmentBatchItem)]
pub struct BatchItem {
    /// Its place in the request, from 0.
    pub index: usize,
    /// `success` or `failed`.
    pub status: String,
    /// The assessment, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub assessment: Option<Assessment>,
    /// Every bad field, if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub validation: Vec<FieldError>,
}

impl Risk {
    /// Assesses the businesses of a batch that are described well, and says what is wrong with the others.
    pub async fn batch_assess(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Batch>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let items = items(fields)?;
            let now = self.0.parts.clock.now();
            let read: Vec<Result<Business, Fault>> = items.iter().map(read).collect();
            let ground = self.ground(call).await?;
            let good: Vec<&Business> = read.iter().flatten().collect();
            let mut histories = self.history(call, &good, now).await?.into_iter();
            let (mut results, mut assessed) = (Vec::with_capacity(items.len()), Vec::new());
            for (index, business) in read.into_iter().enumerate() {
                results.push(match business {
                    Ok(business) => {
                        let history = histories.next().unwrap_or_default();
                        let one = self.decide((call, &ground), business, history, now)?;
                        let shown = Some(one.shown());
                        assessed.push(one);
                        BatchItem {
                            index,
                            status: "success".to_owned(),
                            assessment: shown,
                            validation: Vec::new(),
                        }
                    }
                    Err(fault) => {
                        let validation = fault.errors().to_vec();
                        BatchItem { index, status: "failed".to_owned(), assessment: None, validation }
                    }
                });
            }
            let mut write = turn.begin().await?;
            self.keep(&mut write, &assessed).await?;
            self.open_cases(&mut write, &assessed).await?;
            self.compare_with_shadow(&mut write, &ground, &assessed);
            let batch_id = format!("batch_{}", self.0.parts.clock.fresh_id().simple());
            let (total, completed) = (results.len(), assessed.len());
            let status = "completed".to_owned();
            write.done(Batch { batch_id, status, total, completed, failed: total - completed, results })
        });
        write.await
    }

    /// Keeps assessments, and says so.
    async fn keep(&self, write: &mut Write, assessed: &[Assessed]) -> Result<(), Fault> {
        if assessed.is_empty() {
            return Ok(());
        }
        store::insert(&mut write.tx, write.call.tenant(), assessed).await?;
        for one in assessed {
            write.created(events::completed(one));
        }
        Ok(())
    }
}

/// The businesses of a request, under either of their published names.
fn items(fields: &Map<String, Value>) -> Result<&[Value], Fault> {
    let refuse = |field: &str, message: &str| Violations::one(field, "INVALID_INPUT", message).into();
    let (name, items) = match (fields.get("requests"), fields.get("businesses")) {
        (Some(items), None) => ("requests", items),
        (None, Some(items)) => ("businesses", items),
        _ => return Err(refuse("requests", "give either requests or businesses: an array of businesses")),
    };
    match items.as_array() {
        Some(items) if (1..=BATCH_MAX).contains(&items.len()) => Ok(items),
        Some(_) => Err(refuse(name, "must have 1 to 100 businesses")),
        None => Err(refuse(name, "must be an array of businesses")),
    }
}

fn read(item: &Value) -> Result<Business, Fault> {
    match item.as_object() {
        Some(fields) => Business::read(fields),
        None => Err(Violations::one("business", "INVALID_INPUT", "must be an object").into()),
    }
}
