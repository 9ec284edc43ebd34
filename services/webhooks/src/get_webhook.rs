//! Reads an endpoint.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::endpoint::Webhook;
use crate::{Webhooks, no_webhook};

impl Webhooks {
    /// An endpoint.
    pub async fn get_webhook(&self, call: &Call, id: Uuid) -> Result<Webhook, Fault> {
        let read = self.0.parts.database.read(call);
        let endpoint = self.0.store.find(&read, call.tenant(), id).await?;
        Ok(endpoint.ok_or_else(no_webhook)?.shown())
    }
}
