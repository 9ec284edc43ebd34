//! The job that deletes objects to which no row refers any more.

use std::time::Duration;

use pando_objects::ObjectName;
use pando_queue::{JobContext, JobError, JobKind, JobResult, Settings};
use serde_json::{Value, json};

use super::{Images, kind as image_kind};
use crate::blobs::{Removal, Removing};

/// The kind of the job.
pub(crate) const KIND: &str = "image_blobs_remove";

/// How many objects a job deletes.
pub(crate) const NAMES_MAX: usize = 100;

pub(crate) fn settings() -> Settings {
    Settings { timeout_ms: Some(120_000), pauses_ms: None }
}

pub(crate) fn payload(names: &[String]) -> Value {
    json!({"names": names})
}

pub(crate) fn kind(images: &Images) -> JobKind {
    JobKind {
        summary: "Deletes files of images to which no row refers".to_owned(),
        settings: settings(),
        schema: Some(json!({
            "type": "object",
            "properties": {"names": {"type": "array", "maxItems": NAMES_MAX, "items": {"type": "string"}}},
            "required": ["names"]
        })),
        ..image_kind(images, KIND, run)
    }
}

async fn run(images: Images, context: JobContext, payload: Value) -> JobResult {
    let names = payload["names"].as_array().into_iter().flatten();
    let (mut removed, mut left, mut pause) = (0, 0, Duration::ZERO);
    for name in names.filter_map(|name| ObjectName::parse(name.as_str().unwrap_or_default())) {
        let removal = images.0.blobs.remove(context.call(), &name, Removing::Old).await;
        match removal? {
            Removal::Gone => removed += 1,
            Removal::NotYet(time) => (left, pause) = (left + 1, pause.max(time)),
            Removal::Wanted => {}
        }
    }
    if left > 0 {
        let message = format!("{left} objects may be about to be referred to, or are being deleted");
        return Err(JobError::retry_after(pause, message));
    }
    Ok(json!({"removed": removed}))
}
