//! Settings that are refused before a service starts.

use std::fmt;
use std::ops::RangeInclusive;

use pando_queue::QueueError;

/// A setting with which a service cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct BadSetting {
    /// Its name, as the settings file has it: `profiles.restore_days`.
    pub setting: String,
    /// What is wrong with it.
    pub reason: String,
}

impl BadSetting {
    /// The setting `name` of a section is wrong.
    pub fn new(section: &str, name: &str, reason: impl fmt::Display) -> Self {
        Self { setting: format!("{section}.{name}"), reason: reason.to_string() }
    }

    /// Checks the numbers of a section, each against the range that it must be within.
    pub fn check_ranges<const N: usize>(
        section: &str,
        numbers: [(&str, u64, RangeInclusive<u64>); N],
    ) -> Result<(), Self> {
        for (name, value, range) in numbers {
            if !range.contains(&value) {
                let reason = format!("{value} is not within {} and {}", range.start(), range.end());
                return Err(Self::new(section, name, reason));
            }
        }
        Ok(())
    }
}

impl From<BadSetting> for QueueError {
    fn from(bad: BadSetting) -> Self {
        Self::BadSetting { setting: bad.setting, reason: bad.reason }
    }
}
