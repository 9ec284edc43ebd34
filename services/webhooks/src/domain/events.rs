//! The types of events that can be asked for, and the body that an endpoint gets.

use std::collections::BTreeMap;

use pando_clock::Timestamp;
use pando_queue::Event;
use pando_service::EventType;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::id;

/// The event of an endpoint that was switched off because it failed for too long.
pub(crate) const DISABLED: &str = "webhook.disabled";
/// The event that a caller has sent to try an endpoint.
pub(crate) const TEST: &str = "webhook.test";
/// Every type of event.
pub(crate) const ALL: &str = "*";

/// The data of [`TEST`].
#[derive(Serialize, ToSchema)]
pub(crate) struct Test {
    pub(crate) message: String,
}

/// The data of events about an endpoint.
#[derive(Serialize, ToSchema)]
pub(crate) struct Nothing {}

/// The types of events about endpoints themselves.
pub const EVENTS: &[EventType] = &[
    EventType::of::<Nothing>("webhook.created", "An endpoint was created."),
    EventType::of::<Nothing>("webhook.updated", "An endpoint was changed."),
    EventType::of::<Nothing>("webhook.deleted", "An endpoint was deleted."),
    EventType::of::<Nothing>(DISABLED, "An endpoint was switched off, because it had failed for too long."),
    EventType::of::<Test>(TEST, "A caller tries an endpoint."),
];

/// An event that at least one endpoint wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredEvent {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) data: Value,
    pub(crate) published_at: Timestamp,
}

/// One type of event, and the schema of what an endpoint gets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventTypeShown {
    /// Its name, for `events`.
    pub name: String,
    /// When it happens.
    pub description: String,
    /// The JSON Schema of the body.
    #[schema(value_type = Object)]
    pub schema: Value,
}

/// The types of events of all services, by name.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue(BTreeMap<&'static str, EventTypeShown>);

impl Catalogue {
    pub(crate) fn new(types: impl Iterator<Item = &'static EventType>) -> Self {
        Self(types.map(|one| (one.name, shown(one))).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &EventTypeShown> {
        self.0.values()
    }
}

fn shown(one: &EventType) -> EventTypeShown {
    let mut data = (one.data)();
    if let Some(properties) = data.get_mut("properties").and_then(Value::as_object_mut) {
        properties.entry("id").or_insert_with(|| json!({"type": "string"}));
        properties.entry("version").or_insert_with(|| json!({"type": "integer"}));
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": one.name,
        "description": one.description,
        "type": "object",
        "required": ["event", "id", "webhook_id", "timestamp", "data"],
        "properties": {
            "event": {"const": one.name},
            "id": {"type": "string", "pattern": "^evt_[0-9a-f]{32}$"},
            "webhook_id": {"type": "string", "pattern": "^wh_[0-9a-f]{32}$"},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
        },
    });
    EventTypeShown { name: one.name.to_owned(), description: one.description.to_owned(), schema }
}

/// The data that an endpoint gets of an event: its own, with the id and the version of the thing unless it has such members.
pub(crate) fn data(event: &Event) -> Value {
    let mut data = match &event.data {
        Value::Object(data) => data.clone(),
        _ => Map::new(),
    };
    data.entry("id").or_insert_with(|| event.subject.clone().into());
    data.entry("version").or_insert_with(|| event.version.into());
    Value::Object(data)
}

/// The body of a delivery: the same bytes in every attempt.
pub(crate) fn body(webhook: Uuid, event: &StoredEvent) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        event: &'a str,
        id: String,
        webhook_id: String,
        timestamp: String,
        data: &'a Value,
    }
    let body = Body {
        event: &event.kind,
        id: id::EVENT.show(event.id),
        webhook_id: id::WEBHOOK.show(webhook),
        timestamp: event.published_at.to_string(),
        data: &event.data,
    };
    // Texts and JSON: there is nothing that cannot be written.
    serde_json::to_vec(&body).unwrap_or_default()
}
