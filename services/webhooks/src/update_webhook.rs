//! Changes an endpoint.

use pando_service::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::domain::endpoint::{Endpoint, Record, Webhook};
use crate::domain::given::Given;
use crate::domain::secrets::Secrets;
use crate::{Webhooks, no_webhook};

impl Webhooks {
    /// Changes the fields that are there, or all of them: those that are missing then have their defaults, but for the secret.
    /// An endpoint that failed begins anew.
    pub async fn update_webhook(
        &self,
        call: &Call,
        expected: &Expected,
        (id, fields, all): (Uuid, &Map<String, Value>, bool),
    ) -> Result<Written<Webhook>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let before = self.0.store.lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_webhook)?;
            expected.check("webhook", before.version)?;
            let base = if all { Given::default() } else { Given::of(&before) };
            let given = base.changed_by(fields, &self.rules())?;
            let (version, now) = (before.version + 1, self.0.parts.clock.now());
            let endpoint = changed(before, given, (version, now));
            self.0.store.update(&mut write.tx, call.tenant(), &endpoint)?;
            // What it collected while it was paused is due.
            self.ring(&mut write.tx, call.tenant(), &[id]).await?;
            write.changed(Change { event: "webhook.updated", id, version, data: json!({}) });
            write.done(endpoint.shown())
        });
        write.await
    }
}

fn changed(before: Endpoint, given: Given, (version, now): (i64, Timestamp)) -> Endpoint {
    let current = given.secret.unwrap_or(before.secrets.current);
    let Record { delivered, failed, last_delivery, next_slot, .. } = before.record;
    Endpoint {
        name: given.name,
        url: given.url,
        status: given.status,
        events: given.events,
        settings: given.settings,
        secrets: Secrets { current, previous: before.secrets.previous, headers: given.headers },
        record: Record { delivered, failed, last_delivery, next_slot, ..Record::default() },
        version,
        updated_at: now,
        ..before
    }
}
