//! Takes the events of all services, and gives each endpoint those that it wants.

use pando_queue::{Event, Job, Subscriber, Unique};
use pando_service::prelude::*;
use std::time::Duration;
use uuid::Uuid;

use crate::Webhooks;
use crate::domain::events::{self, StoredEvent};
use crate::domain::work::{OfEndpoint, SEND};
use crate::store::deliveries;

/// How long one batch of events may take.
const BUDGET: Duration = Duration::from_secs(30);

impl Webhooks {
    /// The subscriber of all processes together.
    pub(crate) fn subscriber(&self) -> Subscriber {
        let webhooks = self.clone();
        Subscriber::durable("webhooks", move |events| {
            let webhooks = webhooks.clone();
            async move { webhooks.fan_out(events).await.map_err(|fault| fault.to_string()) }
        })
        .within(BUDGET)
    }

    async fn fan_out(&self, events: Vec<Event>) -> Result<(), Fault> {
        let call = Call::internal("webhooks.fan_out", BUDGET);
        let mut tenants: Vec<Tenant> = Vec::new();
        for event in &events {
            if self.0.catalogue.has(&event.kind) && !tenants.contains(&event.tenant) {
                tenants.push(event.tenant.clone());
            }
        }
        if tenants.is_empty() {
            return Ok(());
        }
        let read = self.0.parts.database.read_primary(&call);
        let endpoints = self.0.store.collecting(&read, &tenants).await?;
        if endpoints.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = events.iter().filter(|event| self.0.catalogue.has(&event.kind)).collect();
        let stored: Vec<(Tenant, StoredEvent, i64)> = wanted.into_iter().map(stored).collect();
        let (mut kept, mut sent, mut rung) = (Vec::new(), Vec::new(), Vec::new());
        for (tenant, event, version) in &stored {
            let before = sent.len();
            for (owner, endpoint) in &endpoints {
                if owner == tenant && endpoint.wants(&event.kind, &event.data) {
                    sent.push((tenant.clone(), endpoint.id, event, *version));
                    if !rung.contains(&(tenant, endpoint.id)) {
                        rung.push((tenant, endpoint.id));
                    }
                }
            }
            if sent.len() > before {
                kept.push((tenant.clone(), event.clone()));
            }
        }
        if sent.is_empty() {
            return Ok(());
        }
        let mut tx = self.0.parts.database.transaction(&call).await?;
        deliveries::insert(&mut tx, &kept, &sent, self.0.parts.clock.now()).await?;
        for tenant in &tenants {
            let ids: Vec<Uuid> =
                rung.iter().filter(|(owner, _)| *owner == tenant).map(|(_, id)| *id).collect();
            self.ring(&mut tx, tenant, &ids).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Has what these endpoints wait for sent. One job of an endpoint runs at a time, and at most one more waits.
    pub(crate) async fn ring(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        endpoints: &[Uuid],
    ) -> Result<(), Fault> {
        for webhook in endpoints {
            let job = SEND.job(&OfEndpoint { webhook: *webhook })?;
            let unique = Some(Unique::WhileWaiting(webhook.to_string()));
            let lane = Some(format!("webhook:{webhook}"));
            let job = Job { unique, lane, ..job }.of_tenant(tenant);
            self.0.parts.queue.enqueue(tx, job).await?;
        }
        Ok(())
    }
}

fn stored(event: &Event) -> (Tenant, StoredEvent, i64) {
    let stored = StoredEvent {
        id: event.id,
        kind: event.kind.clone(),
        subject: event.subject.clone(),
        data: events::data(event),
        published_at: event.timestamp,
    };
    (event.tenant.clone(), stored, event.version)
}
