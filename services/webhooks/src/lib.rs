#![doc = include_str!("../README.md")]

mod create_webhook;
mod delete_webhook;
mod domain;
mod fan_out;
mod get_webhook;
mod http;
mod jobs;
mod list_deliveries;
mod list_webhooks;
mod options;
mod recover_deliveries;
mod retry_delivery;
mod rotate_secret;
mod send;
mod service;
mod store;
mod sweep_deliveries;
mod test_webhook;
mod update_webhook;

use std::sync::Arc;

use domain::events::Catalogue;
use domain::given::Rules;
use pando_client::{Client, ClientOptions, Destination};
use pando_queue::Outbox;
use pando_service::prelude::*;
use pando_service::{EventType, Writes, WritesParts};
use store::Store;

pub use create_webhook::Created;
pub use domain::endpoint::{DeliveryStats, LastDelivery, Webhook, WebhookStatus};
pub use domain::events::{EVENTS, EventTypeShown};
pub use domain::policy::{Filters, RateLimit, RetryPolicy};
pub use list_deliveries::{Delivery, DeliveryPage};
pub use list_webhooks::{WebhookPage, WebhookQuestion};
pub use options::WebhooksOptions;
pub use pando_service::check_signature;
pub use recover_deliveries::Recovered;
pub use rotate_secret::Rotated;
pub use service::{BLUEPRINT, open};
pub use store::MIGRATIONS;
pub use store::deliveries::DeliveryStatus;

/// How many bytes of an answer are read: a connection whose answer is read to its end can be used again.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The webhooks service: each operation is a method, and a file of that name. Cloning shares it.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    parts: Parts,
    writes: Writes,
    store: Store,
    catalogue: Catalogue,
    destination: Destination,
    client: Client,
    options: WebhooksOptions,
}

impl Webhooks {
    /// Puts the service together. `types` are the events of all services.
    pub fn new(
        parts: &Parts,
        types: impl Iterator<Item = &'static EventType>,
        options: WebhooksOptions,
    ) -> Result<Self, BadSetting> {
        options.check()?;
        let destination = pando_service::destination("webhooks", "networks", &options.networks)?;
        let limits = ClientOptions {
            connect_ms: options.timeout_ms,
            answer_ms: options.timeout_ms,
            body_bytes_max: ANSWER_BYTES_MAX,
            idle_max: 100,
            ..ClientOptions::default()
        };
        let client = Client::new(&limits, destination.clone(), &options.tls);
        Ok(Self(Arc::new(Inner {
            writes: Writes::new(WritesParts {
                database: parts.database.clone(),
                idempotency: parts.idempotency.clone(),
                outbox: Some(Outbox::new(&parts.queue, "webhooks")),
                audit: Some(parts.audit.clone()).filter(|audit| audit.is_enabled()),
                vault: parts.vault.clone(),
                memory: None,
                rules: &[],
            }),
            store: Store::new(&parts.vault),
            parts: parts.clone(),
            catalogue: Catalogue::new(types),
            destination,
            client: client.map_err(|error| BadSetting::new("tls", "authorities", error))?,
            options,
        })))
    }

    /// Every type of event that an endpoint can ask for.
    pub fn event_types(&self) -> Vec<EventTypeShown> {
        self.0.catalogue.all().cloned().collect()
    }

    fn rules(&self) -> Rules<'_> {
        let Inner { catalogue, destination, options, .. } = &*self.0;
        Rules { catalogue, destination, allow_http: options.allow_http }
    }
}

/// The endpoint that a caller named does not exist.
fn no_webhook() -> Fault {
    Fault::not_found("webhook")
}
