//! Lists endpoints, the newest first.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Webhooks;
use crate::domain::endpoint::{Webhook, WebhookStatus};

/// A question for a page.
#[derive(Clone, Debug, Default)]
pub struct WebhookQuestion {
    /// The number of the page, from 1.
    pub page: usize,
    /// How many a page has.
    pub page_size: usize,
    /// Only endpoints in this status.
    pub status: Option<WebhookStatus>,
    /// Only endpoints that get this type of event.
    pub event: Option<String>,
    /// Only endpoints with this text in their name or address, in any case.
    pub search: Option<String>,
}

/// A page of endpoints.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookPage {
    /// The endpoints.
    pub webhooks: Vec<Webhook>,
    /// How many there are on all pages.
    pub total: usize,
    /// The number of the page.
    pub page: usize,
    /// How many a page has.
    pub page_size: usize,
}

impl Webhooks {
    /// A page of endpoints. A tenant has a bounded number of them, so all are looked at.
    pub async fn list_webhooks(&self, call: &Call, question: WebhookQuestion) -> Result<WebhookPage, Fault> {
        let WebhookQuestion { page, page_size, status, event, search } = question;
        let read = self.0.parts.database.read(call);
        let count = self.0.options.endpoints_max as usize;
        let all = self.0.store.list(&read, call.tenant(), (status, count)).await?;
        let search = search.map(|text| text.to_lowercase());
        let found = all.iter().filter(|endpoint| {
            let has = |text: &str| search.as_ref().is_none_or(|sought| text.to_lowercase().contains(sought));
            let gets = |event: &String| endpoint.events.iter().any(|one| one == event || one == "*");
            (has(&endpoint.name) || has(&endpoint.url)) && event.as_ref().is_none_or(gets)
        });
        let found: Vec<_> = found.collect();
        let first = page.saturating_sub(1).saturating_mul(page_size);
        let shown = found.iter().skip(first).take(page_size).map(|endpoint| endpoint.shown());
        Ok(WebhookPage { webhooks: shown.collect(), total: found.len(), page, page_size })
    }
}
