//! Deletes an endpoint and its deliveries.

use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::domain::work::{FORGET, OfEndpoint};
use crate::{Webhooks, no_webhook, store};

impl Webhooks {
    /// Deletes an endpoint at once, and its deliveries in the background.
    pub async fn delete_webhook(
        &self,
        call: &Call,
        expected: &Expected,
        id: Uuid,
    ) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let before = self.0.store.lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_webhook)?;
            expected.check("webhook", before.version)?;
            store::delete(&mut write.tx, call.tenant(), id);
            let forget = FORGET.job(&OfEndpoint { webhook: id })?.of_tenant(call.tenant());
            self.0.parts.queue.enqueue(&mut write.tx, forget).await?;
            let version = before.version + 1;
            write.changed(Change { event: "webhook.deleted", id, version, data: json!({}) });
            write.done(())
        });
        write.await
    }
}
