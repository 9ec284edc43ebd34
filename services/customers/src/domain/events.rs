//! The events of this service. They say nothing about a person, because a log keeps them.

use pando_service::prelude::*;
use serde_json::{Value, json};

use super::id::CustomerId;

/// The service that publishes them.
pub(crate) const SERVICE: &str = "customers";

/// The event about a new customer.
pub(crate) const CREATED: &str = "customer_created";

pub(crate) fn created(id: &CustomerId) -> Change {
    change(CREATED, id, 1, json!({}))
}

pub(crate) fn updated(id: &CustomerId, version: i64, fields: &[&str]) -> Change {
    change("customer_updated", id, version, json!({"fields": fields}))
}

pub(crate) fn deleted(id: &CustomerId, version: i64) -> Change {
    change("customer_deleted", id, version, json!({}))
}

/// The id of the customer as its callers write it, where it is not the subject of the event.
pub(crate) fn given_id(data: &Value) -> Option<&str> {
    data["id"].as_str()
}

fn change(event: &'static str, id: &CustomerId, version: i64, mut data: Value) -> Change {
    if id.as_str() != id.key().to_string() {
        data["id"] = id.as_str().into();
    }
    Change { event, id: id.key(), version, data }
}
