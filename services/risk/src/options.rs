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
        }
    }
}

impl RiskOptions {
    /// Whether the service can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        let percent = u64::from(self.match_percent_min);
        let monitorings = u64::from(self.monitorings_max);
        let ranges =
            [("match_percent_min", percent, 1..=100), ("monitorings_max", monitorings, 1..=1_000_000)];
        BadSetting::check_ranges("risk", ranges)
    }
}
