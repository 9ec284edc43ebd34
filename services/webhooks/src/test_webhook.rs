//! Sends an endpoint an event to try it.

use pando_service::Class;
use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::domain::endpoint::WebhookStatus;
use crate::domain::events::{StoredEvent, TEST};
use crate::domain::id;
use crate::list_deliveries::{Delivery, shown};
use crate::store::deliveries;
use crate::{Webhooks, no_webhook};

impl Webhooks {
    /// Sends an endpoint the event `webhook.test`, like any other event, whatever types it asked for.
    pub async fn test_webhook(&self, call: &Call, webhook: Uuid) -> Result<Written<Delivery>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let tenant = call.tenant();
            let endpoint =
                self.0.store.lock(&mut write.tx, tenant, webhook).await?.ok_or_else(no_webhook)?;
            if endpoint.status != WebhookStatus::Active {
                return Err(Fault::new(Class::Conflict, "only an active webhook can be tried"));
            }
            let now = self.0.parts.clock.now();
            let subject = id::WEBHOOK.show(webhook);
            let data = json!({
                "message": "This event was sent to try the webhook.", "id": subject, "version": endpoint.version,
            });
            let event = StoredEvent {
                id: self.0.parts.clock.fresh_id(),
                kind: TEST.to_owned(),
                subject,
                data,
                published_at: now,
            };
            let one = [(tenant.clone(), webhook, &event, 0)];
            deliveries::insert(&mut write.tx, &[(tenant.clone(), event.clone())], &one, now).await?;
            self.ring(&mut write.tx, tenant, &[webhook]).await?;
            let (id, version) = (webhook, endpoint.version);
            write.acted(Change { event: "webhook.tested", id, version, data: json!({}) });
            write.done(shown(&deliveries::StoredDelivery::fresh(webhook, &event, now)))
        });
        write.await
    }
}
