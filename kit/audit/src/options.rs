//! The settings of the audit log.

use serde::{Deserialize, Serialize};

/// Settings of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditOptions {
    /// Whether the changes of services are recorded.
    pub enabled: bool,
    /// The longest details of an entry, as JSON. A marker with their length and hash takes the place of longer details.
    pub details_bytes_max: usize,
    /// The longest actor, credential, request id, action, resource and resource id. A longer text is cut.
    pub text_bytes_max: usize,
    /// How many refused requests of a minute get an entry in each process: so many of strangers, and so many of known callers. The rest
    /// are counted. With 0, refused requests are not recorded.
    pub refused_per_minute: usize,
    /// How often entries without a number are looked for.
    pub seal_ms: u64,
    /// How many entries are sealed in one transaction.
    pub seal_batch_max: usize,
    /// How many findings a verdict names. Further findings are only counted.
    pub findings_max: usize,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            enabled: false,
            details_bytes_max: 4_096,
            text_bytes_max: 200,
            refused_per_minute: 30,
            seal_ms: 250,
            seal_batch_max: 1_000,
            findings_max: 100,
        }
    }
}

impl AuditOptions {
    /// Whether the log can work with these settings; the name of the first setting that cannot be used, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        for (setting, value, range) in [
            ("details_bytes_max", number(self.details_bytes_max), 256..=65_536),
            ("text_bytes_max", number(self.text_bytes_max), 16..=1_024),
            ("refused_per_minute", number(self.refused_per_minute), 0..=6_000),
            ("seal_ms", self.seal_ms, 10..=60_000),
            ("seal_batch_max", number(self.seal_batch_max), 1..=10_000),
            ("findings_max", number(self.findings_max), 1..=1_000),
        ] {
            if !range.contains(&value) {
                let reason = format!("{value} is not within {} and {}", range.start(), range.end());
                return Err((setting, reason));
            }
        }
        Ok(())
    }
}
