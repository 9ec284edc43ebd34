//! The settings of tasks.

use pando_queue::QueueError;
use pando_service::{BadSetting, destination};
use pando_tls::Tls;
use serde::{Deserialize, Serialize};

/// Settings of the tasks service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TasksOptions {
    /// How far ahead a task may be set.
    pub delay_days_max: u32,
    /// How many bytes of JSON the data of a task may have.
    pub data_bytes_max: usize,
    /// Whether the type `sleep` is there: for trying things out.
    pub sleep: bool,
    /// How often a task may be retried.
    pub retries_max: u16,
    /// How long `?wait=` may wait.
    pub wait_ms_max: u64,
    /// How long one attempt to call an address back may take.
    pub callback_timeout_ms: u64,
    /// Networks that may be called although not everybody can reach them, such as `10.1.0.0/16`. Every other address
    /// that is not public is refused.
    pub callback_networks: Vec<String>,
    /// The authorities that are trusted if an https address is called. The program sets them, no settings file.
    #[serde(skip)]
    pub tls: Tls,
}

impl Default for TasksOptions {
    fn default() -> Self {
        Self {
            delay_days_max: 366,
            data_bytes_max: 65_536,
            sleep: false,
            retries_max: 100,
            wait_ms_max: 60_000,
            callback_timeout_ms: 10_000,
            callback_networks: Vec::new(),
            tls: Tls::default(),
        }
    }
}

impl TasksOptions {
    /// Whether the service can run with these.
    pub fn check(&self) -> Result<(), QueueError> {
        BadSetting::check_ranges(
            "tasks",
            [
                ("delay_days_max", self.delay_days_max.into(), 1..=36_500),
                ("data_bytes_max", self.data_bytes_max as u64, 64..=1_048_576),
                ("retries_max", self.retries_max.into(), 0..=1_000),
                ("wait_ms_max", self.wait_ms_max, 0..=600_000),
                ("callback_timeout_ms", self.callback_timeout_ms, 100..=600_000),
            ],
        )?;
        destination("tasks", "callback_networks", &self.callback_networks).map(drop)?;
        Ok(())
    }
}
