//! The job that deletes objects to which no row refers any more.

use std::time::Duration;

use pando_objects::ObjectName;
use pando_queue::{JobContext, JobError, JobKind, JobResult, JobType};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Images;
use crate::blobs::{Removal, Removing};

/// The job that deletes objects.
pub(crate) const REMOVE: JobType<Names> = JobType::new("image_blobs_remove").within_ms(120_000);

/// How many objects a job deletes.
pub(crate) const NAMES_MAX: usize = 100;

/// The payload: the names of objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Names {
    pub(crate) names: Vec<String>,
}

pub(crate) fn kind(images: &Images) -> JobKind {
    JobKind {
        summary: "Deletes files of images to which no row refers".to_owned(),
        schema: Some(json!({
            "type": "object",
            "properties": {"names": {"type": "array", "maxItems": NAMES_MAX, "items": {"type": "string"}}},
            "required": ["names"]
        })),
        ..REMOVE.run_by(images, run)
    }
}

async fn run(images: Images, context: JobContext, Names { names }: Names) -> JobResult {
    let (mut removed, mut left, mut pause) = (0, 0, Duration::ZERO);
    for name in names.iter().filter_map(|name| ObjectName::parse(name)) {
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
