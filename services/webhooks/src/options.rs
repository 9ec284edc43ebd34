//! The settings of webhooks.

use pando_service::prelude::*;
use pando_tls::Tls;
use serde::{Deserialize, Serialize};

/// Settings of the webhooks service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksOptions {
    /// How many endpoints a tenant may have.
    pub endpoints_max: u32,
    /// Whether endpoints may have addresses without TLS.
    pub allow_http: bool,
    /// Networks that endpoints may be in besides public addresses, such as `10.0.0.0/8`.
    pub networks: Vec<String>,
    /// How long one attempt may take.
    pub timeout_ms: u64,
    /// After so many failed attempts in a row an endpoint gets nothing for a while.
    pub breaker_failures: u32,
    /// How long that is at first; it doubles each time.
    pub breaker_ms: u64,
    /// How long it is at most.
    pub breaker_max_ms: u64,
    /// An endpoint that fails for so long is switched off.
    pub disable_after_hours: u32,
    /// How long a secret counts after it was replaced.
    pub secret_overlap_hours: u32,
    /// How long deliveries are kept.
    pub kept_days: u32,
    /// The authorities of TLS.
    #[serde(skip)]
    pub tls: Tls,
}

impl Default for WebhooksOptions {
    fn default() -> Self {
        Self {
            endpoints_max: 1_000,
            allow_http: false,
            networks: Vec::new(),
            timeout_ms: 10_000,
            breaker_failures: 5,
            breaker_ms: 5_000,
            breaker_max_ms: 60_000,
            disable_after_hours: 120,
            secret_overlap_hours: 24,
            kept_days: 30,
            tls: Tls::default(),
        }
    }
}

impl WebhooksOptions {
    /// Whether the service can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        BadSetting::check_ranges(
            "webhooks",
            [
                ("endpoints_max", u64::from(self.endpoints_max), 1..=100_000),
                ("timeout_ms", self.timeout_ms, 100..=60_000),
                ("breaker_failures", u64::from(self.breaker_failures), 1..=1_000),
                ("breaker_ms", self.breaker_ms, 100..=3_600_000),
                ("breaker_max_ms", self.breaker_max_ms, self.breaker_ms..=86_400_000),
                ("disable_after_hours", u64::from(self.disable_after_hours), 1..=8_760),
                ("secret_overlap_hours", u64::from(self.secret_overlap_hours), 0..=8_760),
                ("kept_days", u64::from(self.kept_days), 1..=3_650),
            ],
        )
    }
}
