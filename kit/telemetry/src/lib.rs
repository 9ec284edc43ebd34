#![doc = include_str!("../README.md")]

mod address;
mod log;
mod log_queue;
mod metrics;
mod options;
mod process;
mod redact;
mod secret;
mod series;
mod tasks;

pub use address::shown_address;
pub use log::{LogHandle, TelemetryError, start_logging};
pub use metrics::{LATENCY_BUCKETS, Metrics, SERIES_MAX};
pub use options::{LogFormat, LogOptions, TelemetryOptions};
pub use process::resident_bytes;
pub use redact::redact;
pub use secret::Secret;
pub use series::{Counter, Gauge, Histogram};
pub use tasks::{live_tasks, spawn};
