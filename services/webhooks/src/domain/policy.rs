//! How an endpoint is treated: how often an event is tried, and how many are sent in a time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How often an event is tried before it is a dead letter, and the pauses between.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// How often it is tried again.
    #[schema(maximum = 50)]
    pub max_retries: u32,
    /// The pause before the second attempt, in seconds.
    #[schema(minimum = 0.1, maximum = 86_400)]
    pub initial_interval: f64,
    /// The growth of the pauses.
    #[schema(minimum = 1, maximum = 10)]
    pub multiplier: f64,
    /// The longest pause, in seconds.
    #[schema(minimum = 0.1, maximum = 86_400)]
    pub max_interval: f64,
    /// Whether each pause is changed by up to a tenth, so that many events do not come back at once.
    pub jitter: bool,
}

/// How many events an endpoint gets in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many events in a minute.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub requests_per_minute: u32,
    /// How many of them at once after a pause.
    #[serde(default = "burst")]
    #[schema(minimum = 1, maximum = 10_000, default = 10)]
    pub burst: u32,
}

/// Conditions on the data of an event: each list that is not empty must contain the value of its field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// Types of events, besides `events`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<String>,
    /// Values of `business_id`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub business_ids: Vec<String>,
    /// Values of `risk_level`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub risk_levels: Vec<String>,
    /// Values of `industry`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub industries: Vec<String>,
    /// Values of `country`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Fields of the data with the value that each must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Object>)]
    pub custom_filters: BTreeMap<String, Value>,
}

/// Everything about an endpoint that is kept as one value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) retry_policy: RetryPolicy,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) filters: Filters,
    pub(crate) ordered: bool,
    pub(crate) concurrency: Concurrency,
}

/// How many events are on their way to an endpoint at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Concurrency(pub(crate) u32);

impl Default for Concurrency {
    fn default() -> Self {
        Self(10)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 3, initial_interval: 1.0, multiplier: 2.0, max_interval: 60.0, jitter: false }
    }
}

fn burst() -> u32 {
    10
}

impl RetryPolicy {
    /// The broken rule, if there is one.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let pause = 0.1..=86_400.0;
        match () {
            () if self.max_retries > 50 => Some("max_retries must be at most 50"),
            () if !pause.contains(&self.initial_interval) => {
                Some("initial_interval must be from 0.1 to 86400 seconds")
            }
            () if !pause.contains(&self.max_interval) => {
                Some("max_interval must be from 0.1 to 86400 seconds")
            }
            () if !(1.0..=10.0).contains(&self.multiplier) => Some("multiplier must be from 1 to 10"),
            () => None,
        }
    }

    /// The pause after so many failed attempts; none if there is no further one. `chance` is from 0 to 1.
    pub(crate) fn pause(&self, failed: i64, chance: f64) -> Option<Duration> {
        let retry = u32::try_from(failed).ok().filter(|retry| (1..=self.max_retries).contains(retry))?;
        let grown =
            self.initial_interval * self.multiplier.powi(i32::try_from(retry - 1).unwrap_or(i32::MAX));
        let pause = grown.min(self.max_interval);
        let factor = if self.jitter { 0.9 + 0.2 * chance } else { 1.0 };
        Some(Duration::from_secs_f64(pause * factor))
    }
}

impl RateLimit {
    /// The broken rule, if there is one.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match () {
            () if !(1..=1_000_000).contains(&self.requests_per_minute) => {
                Some("requests_per_minute must be from 1 to 1000000")
            }
            () if !(1..=10_000).contains(&self.burst) => Some("burst must be from 1 to 10000"),
            () => None,
        }
    }

    /// Takes up to `wanted` slots from a moment on (GCRA): how many there are, and the new next slot. All are in microseconds.
    pub(crate) fn take(&self, next_slot: i64, now: i64, wanted: usize) -> (usize, i64) {
        let every = 60_000_000 / i64::from(self.requests_per_minute).max(1);
        let every = every.max(1);
        let early = every.saturating_mul(i64::from(self.burst) - 1);
        let slot = next_slot.max(now);
        let free = (now + early - slot) / every + 1;
        let taken = usize::try_from(free).unwrap_or(0).min(wanted);
        (taken, slot + every.saturating_mul(i64::try_from(taken).unwrap_or(i64::MAX)))
    }

    /// When the next slot is free, in microseconds.
    pub(crate) fn free_at(&self, next_slot: i64) -> i64 {
        let every = 60_000_000 / i64::from(self.requests_per_minute).max(1);
        next_slot - every * (i64::from(self.burst) - 1)
    }
}

impl Filters {
    /// The broken rule, if there is one.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let lists =
            [&self.event_types, &self.business_ids, &self.risk_levels, &self.industries, &self.countries];
        let texts = lists.into_iter().flatten();
        match () {
            () if lists.iter().any(|list| list.len() > 1_000) => Some("a list must have at most 1000 values"),
            () if texts.into_iter().any(|text| text.len() > 500) => {
                Some("a value must have at most 500 bytes")
            }
            () if self.custom_filters.len() > 50 => Some("custom_filters must have at most 50 fields"),
            () if self.custom_filters.values().any(|value| value.is_object()) => {
                Some("custom_filters compares with texts, numbers, truth values, null, or lists of these")
            }
            () => None,
        }
    }

    /// Whether an event passes.
    pub(crate) fn pass(&self, kind: &str, data: &Value) -> bool {
        let among = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|one| one == value))
        };
        let text = |field: &str| data.get(field).and_then(Value::as_str);
        among(&self.event_types, Some(kind))
            && among(&self.business_ids, text("business_id"))
            && among(&self.risk_levels, text("risk_level"))
            && among(&self.industries, text("industry"))
            && among(&self.countries, text("country"))
            && self.custom_filters.iter().all(|(field, wanted)| {
                let value = data.get(field).unwrap_or(&Value::Null);
                wanted == value || wanted.as_array().is_some_and(|list| list.contains(value))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_pauses_are_one_two_and_four_seconds_unless_the_policy_says_otherwise() {
        let pauses = |policy: RetryPolicy| -> Vec<f64> {
            (1..).map_while(|failed| policy.pause(failed, 1.0)).map(|pause| pause.as_secs_f64()).collect()
        };
        assert_eq!(pauses(RetryPolicy::default()), [1.0, 2.0, 4.0]);
        let long = RetryPolicy { max_retries: 5, max_interval: 5.0, jitter: true, ..RetryPolicy::default() };
        let expected = [1.1, 2.2, 4.4, 5.5, 5.5];
        assert!(pauses(long).iter().zip(expected).all(|(is, wanted)| (is - wanted).abs() < 1e-9));
        assert!(pauses(RetryPolicy { max_retries: 0, ..RetryPolicy::default() }).is_empty());
    }

    #[test]
    fn a_rate_lets_a_burst_through_and_then_one_at_a_time() {
        let rate = RateLimit { requests_per_minute: 60, burst: 3 };
        let now = 1_000_000_000;
        let (first, slot) = rate.take(0, now, 10);
        assert_eq!(first, 3);
        assert_eq!(rate.take(slot, now, 10).0, 0);
        assert_eq!(rate.free_at(slot), now + 1_000_000);
        let (second, slot) = rate.take(slot, now + 1_000_000, 10);
        assert_eq!(second, 1);
        assert_eq!(rate.take(slot, now + 10_000_000, 10).0, 3);
        assert_eq!(rate.take(slot, now + 10_000_000, 2).0, 2);
    }

    #[test]
    fn an_event_must_pass_every_filter() {
        let data = json!({"risk_level": "high", "country": "CH", "amount": 5});
        let filters = |value| serde_json::from_value::<Filters>(value).unwrap();
        for (value, passes) in [
            (json!({}), true),
            (json!({"risk_levels": ["high", "critical"]}), true),
            (json!({"risk_levels": ["low"]}), false),
            (json!({"risk_levels": ["high"], "countries": ["DE"]}), false),
            (json!({"business_ids": ["biz_1"]}), false),
            (json!({"event_types": ["other"]}), false),
            (json!({"custom_filters": {"amount": 5}}), true),
            (json!({"custom_filters": {"amount": [4, 5]}}), true),
            (json!({"custom_filters": {"amount": 6}}), false),
            (json!({"custom_filters": {"nothing": null}}), true),
        ] {
            assert_eq!(filters(value.clone()).pass("assessment.completed", &data), passes, "{value}");
        }
    }
}
