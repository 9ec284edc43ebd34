//! Gives an endpoint a fresh secret.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{id, secrets};
use crate::{Webhooks, no_webhook};

/// A fresh secret, which is not shown again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub struct Rotated {
    /// The endpoint.
    pub webhook_id: String,
    /// The secret that signs from now on.
    pub secret: String,
    /// Until this moment the secret before signs as well.
    #[schema(value_type = String, format = DateTime)]
    pub previous_until: Timestamp,
}

impl Webhooks {
    /// Gives an endpoint a fresh secret. For a time both sign, so that its receiver can change over.
    pub async fn rotate_secret(&self, call: &Call, id: Uuid) -> Result<Written<Rotated>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let secret = secrets::fresh()?;
            let mut write = turn.begin().await?;
            let mut endpoint =
                self.0.store.lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_webhook)?;
            let now = self.0.parts.clock.now();
            let overlap = i64::from(self.0.options.secret_overlap_hours) * 3_600_000_000;
            let previous_until = now.plus_micros(overlap);
            let replaced = std::mem::replace(&mut endpoint.secrets.current, secret.clone());
            endpoint.secrets.previous = Some((replaced, previous_until));
            endpoint.version += 1;
            endpoint.updated_at = now;
            self.0.store.update(&mut write.tx, call.tenant(), &endpoint)?;
            write.changed(Change {
                event: "webhook.updated",
                id,
                version: endpoint.version,
                data: json!({}),
            });
            write.about(id);
            write.done(Rotated { webhook_id: id::WEBHOOK.show(id), secret, previous_until })
        });
        write.await
    }
}
