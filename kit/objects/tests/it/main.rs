//! Objects in a folder and in a real S3.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod folder;
mod s3;
mod uploads;

use std::path::Path;
use std::time::Duration;

use pando_clock::Clock;
use pando_objects::{Objects, ObjectsOptions};
use pando_resilience::Call;
use pando_telemetry::Metrics;

/// A store in a folder.
fn in_folder(path: &Path) -> Objects {
    opened(&ObjectsOptions { path: path.to_owned(), ..ObjectsOptions::default() })
}

fn opened(options: &ObjectsOptions) -> Objects {
    Objects::open(options, &Metrics::new(), &Clock::system()).unwrap()
}

fn call() -> Call {
    Call::internal("test", Duration::from_secs(60))
}
