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
        }
    }
}

impl RiskOptions {
    /// Whether the service can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        let percent = u64::from(self.match_percent_min);
        BadSetting::check_ranges(
            "risk",
            [("match_percent_min", percent, 1..=100), ("recheck_ms", self.recheck_ms, 0..=60_000)],
        )
    }
}
