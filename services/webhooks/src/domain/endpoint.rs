//! An endpoint: an address that gets events.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use pando_service::{name_in, value_in};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::id;
use super::policy::{Filters, RateLimit, RetryPolicy, Settings};
use super::secrets::Secrets;

/// Whether an endpoint gets events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookStatus {
    /// It gets them.
    #[default]
    Active,
    /// It gets none, and none is kept for it.
    Inactive,
    /// It gets none at the moment; they are kept until it is active again.
    Paused,
    /// It failed for too long, and gets none until a caller makes it active.
    Disabled,
}

/// An endpoint, as its callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its id.
    #[schema(pattern = "^wh_[0-9a-f]{32}$")]
    pub webhook_id: String,
    /// A name for people.
    #[schema(max_length = 200)]
    pub name: String,
    /// Where events are sent.
    #[schema(max_length = 2048)]
    pub url: String,
    /// The types of events that it gets; `*` stands for all.
    pub events: Vec<String>,
    /// Whether it gets events: `status` is `active`.
    pub active: bool,
    /// Whether it gets events, and why not.
    pub status: WebhookStatus,
    /// How often an event is tried.
    pub retry_policy: RetryPolicy,
    /// How many events it gets in a time.
    pub rate_limit: Option<RateLimit>,
    /// The headers that each request has besides; their values are not shown.
    pub headers: BTreeMap<String, String>,
    /// Conditions on the data of events.
    pub filters: Filters,
    /// Whether events of one thing are sent one after the other: a later one waits until the earlier one arrived or is dead.
    pub ordered: bool,
    /// How many events are on their way at once.
    #[schema(minimum = 1, maximum = 100)]
    pub concurrency: u32,
    /// How many deliveries have ended.
    pub delivery_stats: DeliveryStats,
    /// The last attempt.
    pub last_delivery: Option<LastDelivery>,
    /// Counts the changes.
    pub version: i64,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// How many deliveries to an endpoint have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryStats {
    /// All of them.
    pub total_deliveries: i64,
    /// Those that arrived.
    pub successful_deliveries: i64,
    /// Those that are dead letters.
    pub failed_deliveries: i64,
    /// The share of those that arrived, from 0 to 1; 0 if there is none.
    pub success_rate: f64,
}

/// The last attempt of an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LastDelivery {
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// `success` or `failed`.
    pub status: String,
    /// How long it took, in milliseconds.
    pub response_time: f64,
}

/// An endpoint as its row has it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) status: WebhookStatus,
    pub(crate) events: Vec<String>,
    pub(crate) settings: Settings,
    pub(crate) secrets: Secrets,
    pub(crate) record: Record,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// The state that attempts leave behind for an endpoint. It is not part of its version.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) delivered: i64,
    pub(crate) failed: i64,
    pub(crate) last_delivery: Option<LastDelivery>,
    /// How many attempts have failed since the last one that did not.
    pub(crate) failures: i64,
    pub(crate) failing_since: Option<Timestamp>,
    /// Nothing is sent before this moment.
    pub(crate) closed_until: Option<Timestamp>,
    pub(crate) opened: i64,
    pub(crate) next_slot: Option<Timestamp>,
}

impl WebhookStatus {
    /// Every status.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("active", Self::Active),
        ("inactive", Self::Inactive),
        ("paused", Self::Paused),
        ("disabled", Self::Disabled),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        value_in(&Self::ALL, name)
    }

    /// Whether events are kept for an endpoint in this status.
    pub(crate) fn collects(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}

impl Endpoint {
    /// Whether it wants an event.
    pub(crate) fn wants(&self, kind: &str, data: &serde_json::Value) -> bool {
        self.status.collects()
            && self.events.iter().any(|wanted| wanted == kind || wanted == super::events::ALL)
            && self.settings.filters.pass(kind, data)
    }

    /// The endpoint as its callers see it.
    pub(crate) fn shown(&self) -> Webhook {
        let Record { delivered, failed, last_delivery, .. } = self.record.clone();
        let total = delivered + failed;
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
        let success_rate = if total > 0 { delivered as f64 / total as f64 } else { 0.0 };
        let Settings { retry_policy, rate_limit, filters, ordered, concurrency } = self.settings.clone();
        Webhook {
            webhook_id: id::WEBHOOK.show(self.id),
            name: self.name.clone(),
            url: self.url.clone(),
            events: self.events.clone(),
            active: self.status == WebhookStatus::Active,
            status: self.status,
            retry_policy,
            rate_limit,
            headers: self.secrets.headers.keys().map(|name| (name.clone(), "***".to_owned())).collect(),
            filters,
            ordered,
            concurrency: concurrency.0,
            delivery_stats: DeliveryStats {
                total_deliveries: total,
                successful_deliveries: delivered,
                failed_deliveries: failed,
                success_rate,
            },
            last_delivery,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}
