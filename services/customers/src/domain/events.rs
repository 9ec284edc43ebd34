//! The events of this service. They say nothing about a person, because a log keeps them.

use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

/// The event about a new customer.
pub(crate) const CREATED: &str = "customer_created";

pub(crate) fn created(key: Uuid) -> Change {
    Change { event: CREATED, id: key, version: 1, data: json!({}) }
}

pub(crate) fn updated(key: Uuid, version: i64, fields: &[&str]) -> Change {
    Change { event: "customer_updated", id: key, version, data: json!({"fields": fields}) }
}

pub(crate) fn deleted(key: Uuid, version: i64) -> Change {
    Change { event: "customer_deleted", id: key, version, data: json!({}) }
}
