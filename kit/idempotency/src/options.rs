//! The settings of idempotency.

use serde::{Deserialize, Serialize};

/// Settings of idempotency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdempotencyOptions {
    /// How many hours an answer is kept.
    pub keep_hours: u64,
    /// Answers with a longer body are not kept, and so not repeated.
    pub body_bytes_max: usize,
    /// How many expired answers are deleted in one transaction.
    pub sweep_batch_max: usize,
    /// How often expired answers are looked for.
    pub sweep_seconds: u64,
}

impl Default for IdempotencyOptions {
    fn default() -> Self {
        Self { keep_hours: 24, body_bytes_max: 1_048_576, sweep_batch_max: 1_000, sweep_seconds: 60 }
    }
}

impl IdempotencyOptions {
    /// Whether it can work with these; the name of the first setting that cannot, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        for (setting, value, range) in [
            ("keep_hours", self.keep_hours, 1..=8_760),
            ("body_bytes_max", number(self.body_bytes_max), 1_024..=67_108_864),
            ("sweep_batch_max", number(self.sweep_batch_max), 1..=100_000),
            ("sweep_seconds", self.sweep_seconds, 1..=86_400),
        ] {
            if !range.contains(&value) {
                let reason = format!("{value} is not within {} and {}", range.start(), range.end());
                return Err((setting, reason));
            }
        }
        Ok(())
    }
}
