//! Sends one delivery anew.

use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::list_deliveries::Delivery;
use crate::store::deliveries;
use crate::{Webhooks, no_webhook};

impl Webhooks {
    /// Sends a delivery anew, whatever became of it; its attempts count from one again.
    pub async fn retry_delivery(
        &self,
        call: &Call,
        webhook: Uuid,
        event: Uuid,
    ) -> Result<Written<Delivery>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let before = self.get_delivery(call, webhook, event).await?;
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            let endpoint = self.0.store.lock(&mut write.tx, tenant, webhook).await?.ok_or_else(no_webhook)?;
            if !deliveries::redrive(&mut write.tx, (tenant, webhook), event, now).await? {
                return Err(Fault::not_found("delivery"));
            }
            self.ring(&mut write.tx, tenant, &[webhook]).await?;
            let data = json!({"delivery": before.id});
            let version = endpoint.version;
            write.acted(Change { event: "webhook.delivery_retried", id: webhook, version, data });
            let status = deliveries::DeliveryStatus::Pending;
            write.done(Delivery { status, attempts: 0, next_attempt_at: Some(now), ..before })
        });
        write.await
    }
}
