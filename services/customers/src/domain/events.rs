//! The events of this service. They say nothing about a person, because a log keeps them.

use pando_service::EventType;
use pando_service::prelude::*;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::id::CustomerId;

/// The service that publishes them.
pub(crate) const SERVICE: &str = "customers";

/// The event about a new customer.
pub(crate) const CREATED: &str = "customer_created";

const UPDATED: &str = "customer_updated";
const DELETED: &str = "customer_deleted";

/// The types of events of this service.
pub(crate) const EVENTS: &[EventType] = &[
    EventType::of::<Created>(CREATED, "A customer was created."),
    EventType::of::<Updated>(UPDATED, "Fields of a customer were changed."),
    EventType::of::<Deleted>(DELETED, "A customer was deleted, with everything known of it."),
];

/// The data of [`CREATED`].
#[derive(Serialize, ToSchema)]
struct Created {}

/// The data of [`UPDATED`].
#[derive(Serialize, ToSchema)]
struct Updated<'a> {
    /// The names of the fields that were changed.
    fields: &'a [&'a str],
}

/// The data of [`DELETED`].
#[derive(Serialize, ToSchema)]
struct Deleted {}

pub(crate) fn created(id: &CustomerId) -> Change {
    change(CREATED, id, 1, &Created {})
}

pub(crate) fn updated(id: &CustomerId, version: i64, fields: &[&str]) -> Change {
    change(UPDATED, id, version, &Updated { fields })
}

pub(crate) fn deleted(id: &CustomerId, version: i64) -> Change {
    change(DELETED, id, version, &Deleted {})
}

/// The id of the customer as its callers write it, where it is not the subject of the event.
pub(crate) fn given_id(data: &Value) -> Option<&str> {
    data["id"].as_str()
}

fn change(event: &'static str, id: &CustomerId, version: i64, data: &impl Serialize) -> Change {
    // Texts: there is nothing that JSON cannot hold.
    let mut data = serde_json::to_value(data).unwrap_or_default();
    if id.as_str() != id.key().to_string() {
        data["id"] = id.as_str().into();
    }
    Change { event, id: id.key(), version, data }
}
