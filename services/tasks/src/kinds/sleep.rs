//! Waits and reports its progress; for trying things out.

use std::time::Duration;

use pando_queue::{JobContext, JobKind, JobResult, Settings};
use serde_json::{Value, json};

/// How long it may wait.
const SLEEP_MS_MAX: u64 = 600_000;
/// How many times it says how far it has come.
const STEPS: u64 = 10;

pub(super) fn kind() -> JobKind {
    JobKind {
        public: true,
        summary: "Waits for a number of milliseconds and reports its progress".to_owned(),
        schema: Some(json!({
            "type": "object",
            "properties": {"ms": {"type": "integer", "minimum": 0, "maximum": SLEEP_MS_MAX}},
            "required": ["ms"]
        })),
        settings: Settings { timeout_ms: Some(SLEEP_MS_MAX + 60_000), pauses_ms: None },
        ..JobKind::new("sleep", sleep)
    }
}

async fn sleep(context: JobContext, data: Value) -> JobResult {
    let ms = data["ms"].as_u64().unwrap_or(0).min(SLEEP_MS_MAX);
    for step in 1..=STEPS {
        tokio::time::sleep(Duration::from_micros(ms * 1_000 / STEPS)).await;
        // Short sleeps have nothing to tell on the way.
        if ms >= 1_000 {
            context.progress(json!({"percent": step * 100 / STEPS})).await?;
        }
    }
    Ok(json!({"slept_ms": ms}))
}
