//! An endpoint as a caller gives it.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use pando_client::{Destination, Target};
use pando_service::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::endpoint::{Endpoint, WebhookStatus};
use super::events::{ALL, Catalogue};
use super::policy::{Concurrency, Settings};
use super::secrets;

const EVENTS_MAX: usize = 100;
const HEADERS_MAX: usize = 20;

/// The fields of an endpoint that a caller can set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) status: WebhookStatus,
    pub(crate) settings: Settings,
    /// None: the secret that there is, or a fresh one.
    pub(crate) secret: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// The rules that an address must keep.
pub(crate) struct Rules<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) destination: &'a Destination,
    pub(crate) allow_http: bool,
}

impl Given {
    /// The fields of an endpoint that there is.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        Self {
            name: endpoint.name.clone(),
            url: endpoint.url.clone(),
            events: endpoint.events.clone(),
            status: endpoint.status,
            settings: endpoint.settings.clone(),
            secret: None,
            headers: endpoint.secrets.headers.clone(),
        }
    }

    /// These fields with those of a request over them. Every bad field is named.
    pub(crate) fn changed_by(self, fields: &Map<String, Value>, rules: &Rules<'_>) -> Result<Self, Fault> {
        let mut reader = FieldReader::new(fields);
        let mut given = self;
        let has = |field: &str| fields.contains_key(field);
        if has("name") {
            given.name = reader.text("name", 200);
        }
        if has("url") {
            given.url = reader.text("url", 2_048);
        }
        if has("events") {
            given.events = reader.texts("events", EVENTS_MAX, |_| Ok(()));
        }
        given.status = status(&mut reader, fields, given.status);
        if let Some(secret) = fields.get("secret").filter(|secret| !secret.is_null()) {
            let fault = secret.as_str().map_or(Some("must be a string"), secrets::fault);
            match fault {
                Some(fault) => reader.refuse("secret", "value", fault),
                None => given.secret = secret.as_str().map(str::to_owned),
            }
        }
        given.read_settings(&mut reader, fields);
        if has("headers") {
            given.headers = headers(&mut reader, &given.headers);
        }
        given.check(&mut reader, rules);
        reader.finish()?;
        Ok(given)
    }

    fn read_settings(&mut self, reader: &mut FieldReader<'_>, fields: &Map<String, Value>) {
        let settings = &mut self.settings;
        if let Some(policy) = part(reader, fields, "retry_policy") {
            settings.retry_policy = policy;
        }
        if fields.contains_key("rate_limit") {
            settings.rate_limit = part(reader, fields, "rate_limit");
        }
        if let Some(filters) = part(reader, fields, "filters") {
            settings.filters = filters;
        }
        if fields.contains_key("ordered") {
            settings.ordered = reader.flag("ordered");
        }
        if let Some(count) = part::<Concurrency>(reader, fields, "concurrency") {
            settings.concurrency = count;
        }
    }

    fn check(&self, reader: &mut FieldReader<'_>, rules: &Rules<'_>) {
        if let Some(fault) = url_fault(&self.url, rules) {
            reader.refuse("url", "INVALID_URL", &fault);
        }
        if self.events.is_empty() {
            reader.refuse("events", "required", "must name at least one type of event, or *");
        }
        for (place, event) in self.events.iter().enumerate() {
            if event != ALL && !rules.catalogue.has(event) {
                let message = "is not a type of event; /api/v1/webhooks/event-types lists them";
                reader.refuse(&format!("events[{place}]"), "value", message);
            }
        }
        let settings = &self.settings;
        let faults = [
            ("retry_policy", settings.retry_policy.fault()),
            ("rate_limit", settings.rate_limit.as_ref().and_then(|rate| rate.fault())),
            ("filters", settings.filters.fault()),
            (
                "concurrency",
                (!(1..=100).contains(&settings.concurrency.0)).then_some("must be from 1 to 100"),
            ),
        ];
        for (field, fault) in faults {
            if let Some(fault) = fault {
                reader.refuse(field, "value", fault);
            }
        }
    }
}

/// `status`, or the older `active`.
fn status(reader: &mut FieldReader<'_>, fields: &Map<String, Value>, before: WebhookStatus) -> WebhookStatus {
    match fields.get("status") {
        None | Some(Value::Null) if fields.contains_key("active") => match reader.flag("active") {
            true => WebhookStatus::Active,
            false if before == WebhookStatus::Active => WebhookStatus::Inactive,
            false => before,
        },
        None | Some(Value::Null) => before,
        Some(status) => match status.as_str().and_then(WebhookStatus::parse) {
            // A caller cannot say that an endpoint has failed for too long.
            Some(WebhookStatus::Disabled) if before != WebhookStatus::Disabled => {
                reader.refuse("status", "value", "must be active, inactive or paused");
                before
            }
            Some(status) => status,
            None => {
                reader.refuse("status", "value", "must be active, inactive or paused");
                before
            }
        },
    }
}

/// A field that is an object, or a number, of its own type; none if it is missing, null or bad.
fn part<T: DeserializeOwned>(
    reader: &mut FieldReader<'_>,
    fields: &Map<String, Value>,
    field: &str,
) -> Option<T> {
    let value = fields.get(field).filter(|value| !value.is_null())?;
    match serde_json::from_value(value.clone()) {
        Ok(part) => Some(part),
        Err(error) => {
            reader.refuse(field, "value", &error.to_string());
            None
        }
    }
}

/// The headers of a caller. One whose value is not shown keeps the value that it has.
fn headers(reader: &mut FieldReader<'_>, before: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let given = reader.object("headers");
    if given.len() > HEADERS_MAX {
        reader.refuse("headers", "too_many", "must have at most 20 headers");
        return BTreeMap::new();
    }
    let mut headers = BTreeMap::new();
    for (name, value) in given {
        let at = format!("headers.{name}");
        let lower = name.to_ascii_lowercase();
        let value = match (value.as_str(), before.get(&lower)) {
            (Some("***"), Some(kept)) => kept.clone(),
            (Some(value), _) if value.len() <= 2_048 && HeaderValue::from_str(value).is_ok() => {
                value.to_owned()
            }
            _ => {
                reader.refuse(&at, "value", "must be the value of a header, of at most 2048 bytes");
                continue;
            }
        };
        let is_ours = |name: &str| {
            name.starts_with("webhook-")
                || name.starts_with("x-webhook-")
                || [
                    "host",
                    "content-length",
                    "content-type",
                    "transfer-encoding",
                    "connection",
                    "upgrade",
                    "te",
                ]
                .contains(&name)
        };
        if name.len() > 100 || HeaderName::try_from(&lower).is_err() || is_ours(&lower) {
            reader.refuse(&at, "value", "is not a header that can be set");
            continue;
        }
        headers.insert(lower, value);
    }
    headers
}

/// Why nothing can be sent to this address, if that is clear already.
pub(crate) fn url_fault(url: &str, rules: &Rules<'_>) -> Option<String> {
    if url.is_empty() {
        return Some("is required".to_owned());
    }
    let target = match Target::parse(url) {
        Ok(target) => target,
        Err(error) => return Some(error.to_string()),
    };
    if !rules.allow_http && target.uri.scheme_str() != Some("https") {
        return Some("must begin with https://".to_owned());
    }
    rules.destination.refusal(&target)
}
