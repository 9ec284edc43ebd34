//! Sends the dead letters of an endpoint anew.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::deliveries;
use crate::{Webhooks, no_webhook};

/// How many dead letters one request sends anew.
const RECOVER_MAX: usize = 10_000;

/// The dead letters that are sent anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookRecovered)]
pub struct Recovered {
    /// How many.
    pub recovered: usize,
    /// Whether there are more: send the request again.
    pub more: bool,
    /// Whether nothing was done, because the request asked only for the number.
    pub dry_run: bool,
}

impl Webhooks {
    /// Sends the dead letters anew whose events happened at a moment or later. The endpoint's rate counts for them as well.
    pub async fn recover_deliveries(
        &self,
        call: &Call,
        webhook: Uuid,
        (since, dry_run): (Timestamp, bool),
    ) -> Result<Written<Recovered>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let read = self.0.parts.database.read_primary(call);
            let mut dead = deliveries::dead_since(&read, (tenant, webhook), since, RECOVER_MAX + 1).await?;
            let more = dead.len() > RECOVER_MAX;
            dead.truncate(RECOVER_MAX);
            let mut write = turn.begin().await?;
            let endpoint = self.0.store.lock(&mut write.tx, tenant, webhook).await?.ok_or_else(no_webhook)?;
            let mut recovered = dead.len();
            if !dry_run {
                let changed = deliveries::redrive_all(&mut write.tx, (tenant, webhook), dead, now).await?;
                recovered = usize::try_from(changed).unwrap_or(usize::MAX);
                self.ring(&mut write.tx, tenant, &[webhook]).await?;
                let data = json!({"recovered": recovered, "since": since});
                let version = endpoint.version;
                write.acted(Change { event: "webhook.recovered", id: webhook, version, data });
            }
            write.done(Recovered { recovered, more, dry_run })
        });
        write.await
    }
}
