//! The settings of the provider of payments.

use std::time::Duration;

use pando_client::Target;
use pando_resilience::BreakerOptions;
use pando_service::prelude::*;
use pando_telemetry::Secret;
use pando_tls::Tls;
use serde::{Deserialize, Serialize};

const SECTION: &str = "commerce.payments";
const SECRET_BYTES_MIN: usize = 16;

/// Settings of payments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaymentsOptions {
    /// Which provider moves the money.
    pub provider: ProviderKind,
    /// How long one request to the provider may take.
    pub timeout_ms: u64,
    /// The secret that signs callbacks of the provider.
    pub callback_secret: Option<Secret>,
    /// The provider inside this program.
    pub sandbox: SandboxOptions,
    /// The provider that is asked over HTTP.
    pub http: HttpProviderOptions,
    /// The authorities of TLS.
    #[serde(skip)]
    pub tls: Tls,
}

/// The providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// The one inside this program, which moves no money.
    Sandbox,
    /// A server that is asked over HTTP.
    Http,
}

/// Settings of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxOptions {
    /// The chances of a payment follow from this number and its id.
    pub seed: u64,
    /// How many charges in a hundred succeed.
    pub success_percent: u32,
    /// How long the sandbox takes for an answer.
    pub latency_ms: u64,
    /// How many answers in a hundred are lost, though the sandbox did its work.
    pub unknown_percent: u32,
    /// How many requests in a hundred are lost on their way to the sandbox.
    pub lost_percent: u32,
    /// How many copies of each callback the sandbox sends.
    pub callbacks: u32,
    /// Each copy comes later by a random time up to this.
    pub callback_delay_ms: u64,
}

/// Settings of the provider that is asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpProviderOptions {
    /// The address that the paths of the protocol begin with.
    pub url: Option<String>,
    /// Proves to the provider who asks.
    pub secret_key: Option<Secret>,
    /// Whether the address may be one without TLS.
    pub allow_http: bool,
    /// Networks that the address may be in besides public ones, such as `10.0.0.0/8`.
    pub networks: Vec<String>,
    /// How often connecting is tried.
    pub attempts_max: u32,
    /// The pause after the first attempt; it doubles each time.
    pub retry_pause_ms: u64,
    /// How many of the last requests the breaker looks at.
    pub breaker_window: u32,
    /// How many requests it must have seen before it opens.
    pub breaker_calls_min: u32,
    /// The share of failures that opens it.
    pub breaker_failure_percent: u32,
    /// How long it stays open.
    pub breaker_open_ms: u64,
    /// How many requests it tries before it closes.
    pub breaker_probes: u32,
}

impl Default for PaymentsOptions {
    fn default() -> Self {
        Self {
            provider: ProviderKind::Sandbox,
            timeout_ms: 3_000,
            callback_secret: None,
            sandbox: SandboxOptions::default(),
            http: HttpProviderOptions::default(),
            tls: Tls::default(),
        }
    }
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            success_percent: 100,
            latency_ms: 0,
            unknown_percent: 0,
            lost_percent: 0,
            callbacks: 1,
            callback_delay_ms: 0,
        }
    }
}

impl Default for HttpProviderOptions {
    fn default() -> Self {
        Self {
            url: None,
            secret_key: None,
            allow_http: false,
            networks: Vec::new(),
            attempts_max: 3,
            retry_pause_ms: 500,
            breaker_window: 20,
            breaker_calls_min: 10,
            breaker_failure_percent: 50,
            breaker_open_ms: 10_000,
            breaker_probes: 3,
        }
    }
}

impl PaymentsOptions {
    /// Whether payments can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        BadSetting::check_ranges(SECTION, [("timeout_ms", self.timeout_ms, 100..=60_000)])?;
        let secret = self.callback_secret.as_ref().map(Secret::expose);
        if secret.is_some_and(|secret| secret.len() < SECRET_BYTES_MIN) {
            let reason = format!("must have at least {SECRET_BYTES_MIN} bytes");
            return Err(BadSetting::new(SECTION, "callback_secret", reason));
        }
        self.sandbox.check()?;
        self.http.check()?;
        if self.provider == ProviderKind::Http {
            for (name, is_set) in [
                ("callback_secret", secret.is_some()),
                ("http.url", self.http.url.is_some()),
                ("http.secret_key", self.http.secret_key.is_some()),
            ] {
                if !is_set {
                    return Err(BadSetting::new(SECTION, name, "must be set for the provider `http`"));
                }
            }
        }
        Ok(())
    }
}

impl SandboxOptions {
    fn check(&self) -> Result<(), BadSetting> {
        BadSetting::check_ranges(
            "commerce.payments.sandbox",
            [
                ("success_percent", u64::from(self.success_percent), 0..=100),
                ("latency_ms", self.latency_ms, 0..=60_000),
                ("unknown_percent", u64::from(self.unknown_percent), 0..=100),
                ("lost_percent", u64::from(self.lost_percent), 0..=100),
                ("callbacks", u64::from(self.callbacks), 0..=3),
                ("callback_delay_ms", self.callback_delay_ms, 0..=3_600_000),
            ],
        )
    }
}

impl HttpProviderOptions {
    fn check(&self) -> Result<(), BadSetting> {
        let section = "commerce.payments.http";
        BadSetting::check_ranges(
            section,
            [
                ("attempts_max", u64::from(self.attempts_max), 1..=10),
                ("retry_pause_ms", self.retry_pause_ms, 1..=60_000),
                ("breaker_window", u64::from(self.breaker_window), 1..=10_000),
                ("breaker_calls_min", u64::from(self.breaker_calls_min), 1..=u64::from(self.breaker_window)),
                ("breaker_failure_percent", u64::from(self.breaker_failure_percent), 1..=100),
                ("breaker_open_ms", self.breaker_open_ms, 1..=3_600_000),
                ("breaker_probes", u64::from(self.breaker_probes), 1..=1_000),
            ],
        )?;
        pando_service::destination(section, "networks", &self.networks)?;
        let Some(url) = &self.url else { return Ok(()) };
        let target = Target::parse(url).map_err(|error| BadSetting::new(section, "url", error))?;
        if !target.encrypted && !self.allow_http {
            let reason = "must begin with https://, because cards are sent there; or allow_http must be true";
            return Err(BadSetting::new(section, "url", reason));
        }
        match target.uri.query() {
            Some(_) => Err(BadSetting::new(section, "url", "must not have a query")),
            None => Ok(()),
        }
    }

    /// The settings of the breaker.
    pub(crate) fn breaker(&self) -> BreakerOptions {
        let open = Duration::from_millis(self.breaker_open_ms);
        BreakerOptions {
            window: self.breaker_window as usize,
            calls_min: self.breaker_calls_min as usize,
            failure_percent: self.breaker_failure_percent,
            patience: Duration::ZERO,
            open,
            open_max: open,
            probes: self.breaker_probes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_over_http_needs_its_address_and_its_secrets() {
        let good = PaymentsOptions {
            provider: ProviderKind::Http,
            callback_secret: Some(Secret::new("0123456789abcdef")),
            http: HttpProviderOptions {
                url: Some("https://pay.example.org/api".to_owned()),
                secret_key: Some(Secret::new("sk_test")),
                ..HttpProviderOptions::default()
            },
            ..PaymentsOptions::default()
        };
        assert_eq!(good.check(), Ok(()));
        assert_eq!(PaymentsOptions::default().check(), Ok(()));
        let with = |change: fn(&mut PaymentsOptions)| {
            let mut options = good.clone();
            change(&mut options);
            options.check().unwrap_err().setting
        };
        for (change, setting) in [
            ((|it| it.http.url = None) as fn(&mut PaymentsOptions), "commerce.payments.http.url"),
            (|it| it.http.secret_key = None, "commerce.payments.http.secret_key"),
            (|it| it.callback_secret = None, "commerce.payments.callback_secret"),
            (|it| it.callback_secret = Some(Secret::new("short")), "commerce.payments.callback_secret"),
            (|it| it.http.url = Some("http://pay.example.org".to_owned()), "commerce.payments.http.url"),
            (
                |it| it.http.url = Some("https://pay.example.org/?a=b".to_owned()),
                "commerce.payments.http.url",
            ),
            (|it| it.http.networks = vec!["home".to_owned()], "commerce.payments.http.networks"),
            (|it| it.http.breaker_calls_min = 21, "commerce.payments.http.breaker_calls_min"),
            (|it| it.sandbox.callbacks = 4, "commerce.payments.sandbox.callbacks"),
            (|it| it.timeout_ms = 1, "commerce.payments.timeout_ms"),
        ] {
            assert_eq!(with(change), setting);
        }
    }
}
