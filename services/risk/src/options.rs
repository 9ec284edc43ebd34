//! The settings of risk decisions.

use std::path::PathBuf;

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};

/// Settings of the risk service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiskOptions {
    /// Whether every assessment publishes an event.
    pub events: bool,
    /// A folder with models besides those of the program.
    pub models: Option<PathBuf>,
    /// Files of lists, against which names are screened.
    pub lists: Vec<PathBuf>,
    /// Whether the made-up list that comes with the program is used, too: to try it out.
    pub sample_list: bool,
    /// Files of articles, in which monitored names are looked for.
    pub media: Vec<PathBuf>,
    /// Whether the made-up articles that come with the program are used, too: to try it out.
    pub sample_media: bool,
    /// How many monitorings of media a tenant may have.
    pub monitorings_max: u32,
    /// A match with a lower score, in hundredths, is none.
    pub match_percent_min: u8,
    /// On how many threads batches are decided; 0 is one for each core.
    pub batch_threads: u16,
    /// How many businesses of a batch are assessed in one transaction.
    pub batch_chunk: u16,
    /// How long a batch waits after an error of the server.
    pub batch_retry_seconds: u64,
    /// How long batches are kept after their end.
    pub batches_days: u32,
    /// For how many months ahead PostgreSQL has partitions.
    pub partitions_ahead: u16,
    /// Older assessments are moved into the archive.
    pub archive_after_days: u32,
    /// How many assessments one transaction moves.
    pub archive_chunk: u32,
    /// How long a process decides by the rules and lists of a tenant before it looks whether another process has changed them.
    pub recheck_ms: u64,
    /// A business whose name matches one of a block list, or of an allow list, with a lower score, in hundredths, is not on it.
    pub block_percent_min: u8,
    /// How many entries the lists of a tenant may have together.
    pub list_entries_max: usize,
}

impl Default for RiskOptions {
    fn default() -> Self {
        Self {
            events: true,
            models: None,
            lists: Vec::new(),
            sample_list: false,
            media: Vec::new(),
            sample_media: false,
            monitorings_max: 10_000,
            match_percent_min: 80,
            batch_threads: 0,
            batch_chunk: 200,
            batch_retry_seconds: 300,
            batches_days: 30,
            partitions_ahead: 3,
            archive_after_days: 730,
            archive_chunk: 1_000,
            recheck_ms: 1_000,
            block_percent_min: 95,
            list_entries_max: 20_000,
        }
    }
}

impl RiskOptions {
    /// Whether the service can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        let checked = [
            ("match_percent_min", u64::from(self.match_percent_min), 1..=100),
            ("monitorings_max", u64::from(self.monitorings_max), 1..=1_000_000),
            ("recheck_ms", self.recheck_ms, 0..=60_000),
            ("block_percent_min", u64::from(self.block_percent_min), 1..=100),
            ("list_entries_max", self.list_entries_max as u64, 1..=90_000),
            ("batch_threads", u64::from(self.batch_threads), 0..=1_024),
            ("batch_chunk", u64::from(self.batch_chunk), 1..=1_000),
            ("batch_retry_seconds", self.batch_retry_seconds, 1..=86_400),
            ("partitions_ahead", u64::from(self.partitions_ahead), 1..=60),
            ("archive_after_days", u64::from(self.archive_after_days), 1..=36_500),
            ("archive_chunk", u64::from(self.archive_chunk), 1..=10_000),
            ("batches_days", u64::from(self.batches_days), 1..=3_650),
        ];
        BadSetting::check_ranges("risk", checked)
    }

    /// On how many threads batches are decided.
    pub(crate) fn batch_threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.batch_threads == 0 { cores() } else { usize::from(self.batch_threads) }
    }
}
