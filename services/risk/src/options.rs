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
    /// A match with a lower score, in hundredths, is none.
    pub match_percent_min: u8,
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
            match_percent_min: 80,
            recheck_ms: 1_000,
            block_percent_min: 95,
            list_entries_max: 20_000,
        }
    }
}

impl RiskOptions {
    /// Whether the service can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        let percent = |percent: u8| u64::from(percent);
        let list_entries = u64::try_from(self.list_entries_max).unwrap_or(u64::MAX);
        let ranges = [
            ("match_percent_min", percent(self.match_percent_min), 1..=100),
            ("recheck_ms", self.recheck_ms, 0..=60_000),
            ("block_percent_min", percent(self.block_percent_min), 1..=100),
            ("list_entries_max", list_entries, 1..=90_000),
        ];
        BadSetting::check_ranges("risk", ranges)
    }
}
