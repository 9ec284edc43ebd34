//! Creates an endpoint.

use pando_service::Class;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::domain::endpoint::{Endpoint, Record, Webhook};
use crate::domain::given::Given;
use crate::domain::secrets::{self, Secrets};
use crate::{Webhooks, store};

/// An endpoint that was created, with its secret, which is not shown again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookCreated)]
pub struct Created {
    /// The endpoint.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// The secret that signs what the endpoint gets.
    pub secret: String,
}

impl Webhooks {
    /// Creates an endpoint with these fields.
    pub async fn create_webhook(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Created>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let given = Given::default().changed_by(fields, &self.rules())?;
            let secret = given.secret.clone().map_or_else(secrets::fresh, Ok)?;
            let (id, now) = (self.0.parts.clock.fresh_id(), self.0.parts.clock.now());
            let endpoint = endpoint(id, given, secret.clone(), now);
            let mut write = turn.begin().await?;
            let endpoints_max = i64::from(self.0.options.endpoints_max);
            if store::count(&mut write.tx, call.tenant(), endpoints_max).await? >= endpoints_max {
                return Err(Fault::new(
                    Class::Conflict,
                    format!("there are {endpoints_max} webhooks already"),
                ));
            }
            self.0.store.insert(&mut write.tx, call.tenant(), &endpoint)?;
            write.created(Change { event: "webhook.created", id, version: 1, data: json!({}) });
            // The kept answer has the secret: with keys it is sealed.
            write.about(id);
            write.done(Created { webhook: endpoint.shown(), secret })
        });
        write.await
    }
}

fn endpoint(id: uuid::Uuid, given: Given, secret: String, now: Timestamp) -> Endpoint {
    Endpoint {
        id,
        name: given.name,
        url: given.url,
        status: given.status,
        events: given.events,
        settings: given.settings,
        secrets: Secrets { current: secret, previous: None, headers: given.headers },
        record: Record::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    }
}
