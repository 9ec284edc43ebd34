//! Lists the deliveries of an endpoint, the newest event first.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::id;
use crate::store::deliveries::{self, DeliveryStatus, StoredDelivery};
use crate::{Webhooks, no_webhook};

/// A delivery of one event to one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub struct Delivery {
    /// Its id.
    #[schema(pattern = "^dlv_[0-9a-f]{64}$")]
    pub id: String,
    /// The endpoint.
    pub webhook_id: String,
    /// The event; the same in every delivery of it.
    pub event_id: String,
    /// The type of the event.
    pub event: String,
    /// The thing to which it happened.
    pub subject: String,
    /// Where the delivery stands.
    pub status: DeliveryStatus,
    /// How often it was tried since it was sent anew.
    pub attempts: i64,
    /// When the next attempt is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// When the last attempt ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_attempt_at: Option<Timestamp>,
    /// The status of the last answer.
    pub response_code: Option<i64>,
    /// How long the last attempt took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// The beginning of the last answer.
    pub response: String,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When the event happened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A page of deliveries.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookDeliveryPage)]
pub struct DeliveryPage {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// The `cursor` of the next page; null on the last one.
    pub next: Option<String>,
}

impl Webhooks {
    /// A page of the deliveries of an endpoint.
    pub async fn list_deliveries(
        &self,
        call: &Call,
        webhook: Uuid,
        (status, after, limit): (Option<DeliveryStatus>, Option<Uuid>, usize),
    ) -> Result<DeliveryPage, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        self.0.store.find(&read, tenant, webhook).await?.ok_or_else(no_webhook)?;
        let mut found = deliveries::list(&read, (tenant, webhook), status, (after, limit + 1)).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| id::delivery(webhook, last.event));
        Ok(DeliveryPage { deliveries: found.iter().map(shown).collect(), next })
    }

    /// One delivery.
    pub async fn get_delivery(&self, call: &Call, webhook: Uuid, event: Uuid) -> Result<Delivery, Fault> {
        let read = self.0.parts.database.read(call);
        let found = deliveries::find(&read, (call.tenant(), webhook), event).await?;
        found.as_ref().map(shown).ok_or_else(|| Fault::not_found("delivery"))
    }
}

/// A delivery as its callers see it.
pub(crate) fn shown(delivery: &StoredDelivery) -> Delivery {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of seconds")]
    let millis = |micros: i64| micros as f64 / 1_000.0;
    let waits = delivery.status == DeliveryStatus::Pending;
    Delivery {
        id: id::delivery(delivery.webhook, delivery.event),
        webhook_id: id::WEBHOOK.show(delivery.webhook),
        event_id: id::EVENT.show(delivery.event),
        event: delivery.kind.clone(),
        subject: delivery.subject.clone(),
        status: delivery.status,
        attempts: delivery.attempts,
        next_attempt_at: waits.then_some(delivery.next_at),
        last_attempt_at: delivery.attempted_at,
        response_code: delivery.response_code,
        latency_ms: delivery.latency_micros.map(millis),
        response: delivery.response.clone(),
        error: Some(delivery.error.clone()).filter(|error| !error.is_empty()),
        created_at: delivery.published_at,
    }
}
