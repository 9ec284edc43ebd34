//! The log of acts: which part of the process tells the audit log of what.

use std::sync::Arc;

use anyhow::Result;
use pando_audit::{Audit, Entry, EntryResult, Refused};
use pando_auth::ApiKey;
use pando_clock::Clock;
use pando_database::{Database, Transaction};
use pando_http::{Code, OnRefusal, Problem};
use pando_queue::Queue;
use pando_resilience::Call;
use pando_telemetry::Metrics;
use serde_json::{Value, json};

use crate::config::Config;

/// The audit log that the settings ask for, if they do.
pub(crate) fn audit(
    config: &Config,
    (database, clock, metrics): (&Database, &Clock, &Metrics),
) -> Result<Option<Audit>> {
    Ok(Some(Audit::new(database, clock, metrics, config.audit.clone())?).filter(Audit::is_enabled))
}

/// Records acts about jobs, each in its transaction.
pub(crate) fn record_jobs(audit: Option<&Audit>, queue: &Queue) {
    let Some(audit) = audit.cloned() else { return };
    queue.record_with(Arc::new(move |tx, call, act| {
        let entry = ok(act.action, (act.resource, act.resource_id), act.details.clone());
        audit.record(tx, call, &entry);
    }));
}

/// Records that a key was made or revoked; `before` is the key that it replaces. The entry is in the log of the tenant whose data the key is for.
pub(crate) fn record_key(
    audit: Option<&Audit>,
    (tx, call): (&mut Transaction, &Call),
    action: &str,
    (key, before): (&ApiKey, Option<&str>),
) {
    let Some(audit) = audit else { return };
    let scopes: Vec<&str> = key.scopes.iter().collect();
    let networks: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
    let details = json!({"name": key.name, "scopes": scopes, "networks": networks, "replaces": before});
    audit.record(tx, &call.of_tenant(key.tenant.clone()), &ok(action, ("key", &key.id), details));
}

/// Records an act that no transaction contains, before it is done: an act without an entry must not happen.
pub(crate) async fn record_before(
    audit: Option<&Audit>,
    call: &Call,
    action: &str,
    thing: (&str, &str),
) -> Result<(), Problem> {
    let Some(audit) = audit else { return Ok(()) };
    let recorded = audit.record_alone(call, &ok(action, thing, json!({}))).await;
    recorded.map_err(|error| {
        Problem::new(Code::Unavailable, "the audit log cannot be written at the moment").with_source(error)
    })
}

/// Records refused requests, if the settings ask for it.
pub(crate) fn of_refusals(audit: Option<&Audit>) -> Option<OnRefusal> {
    let audit = audit.filter(|audit| audit.records_refused())?.clone();
    Some(Arc::new(move |request| {
        audit.note_refused(&Refused {
            operation: &format!("{} {}", request.method, request.template),
            code: request.code.name(),
            reason: request.detail,
            request_id: request.request_id,
            client: request.client,
            caller: request.caller,
        });
    }))
}

fn ok<'a>(action: &'a str, (resource, resource_id): (&'a str, &'a str), details: Value) -> Entry<'a> {
    Entry { action, resource, resource_id, result: EntryResult::Ok, details }
}
