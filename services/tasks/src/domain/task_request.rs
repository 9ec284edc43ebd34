//! A client's request for a task: parsed once, and valid from then on.

use std::time::Duration;

use pando_clock::Timestamp;
use pando_queue::{BadPayload, Job, Registry, Unique};
use pando_service::Fault;
use serde_json::{Map, Value, json};

use super::delay;
use crate::TasksOptions;
use pando_service::FieldError;

/// A task that can be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRequest {
    pub(crate) job: Job,
    pub(crate) delay: Duration,
    pub(crate) callback: Option<Job>,
}

impl TaskRequest {
    /// Reads the fields of a request; unknown ones are ignored, every bad one is named.
    pub fn parse(
        fields: &Map<String, Value>,
        registry: &Registry,
        options: &TasksOptions,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut faults = Vec::new();
        let job = job(fields, registry, options, &mut faults);
        let mut request = Self { job, delay: Duration::ZERO, callback: None };
        request.read_moment(fields, options, now, &mut faults);
        if let Some(retries) = integer(fields, "max_retries", i64::from(options.retries_max), &mut faults) {
            request.job.attempts_max = u16::try_from(retries + 1).unwrap_or(u16::MAX);
        }
        if let Some(priority) = integer(fields, "priority", 9, &mut faults) {
            request.job.priority = u8::try_from(priority).unwrap_or(9);
        }
        if let Some(key) = text(fields, "unique_key", 255, &mut faults) {
            request.job.unique = Some(Unique::WhileLive(key));
        }
        if let Some(url) = text(fields, "callback_url", 2_048, &mut faults) {
            match registry.job("http_callback", json!({"url": url})) {
                Ok(callback) => request.callback = Some(callback),
                Err(BadPayload::Faults(found)) => {
                    faults.extend(
                        found.into_iter().map(|it| FieldError::new("callback_url", "url", it.message)),
                    );
                }
                Err(BadPayload::UnknownKind) => {
                    faults.push(FieldError::new("callback_url", "url", "this server calls no addresses"));
                }
            }
        }
        if faults.is_empty() { Ok(request) } else { Err(Fault::invalid(faults)) }
    }

    fn read_moment(
        &mut self,
        fields: &Map<String, Value>,
        options: &TasksOptions,
        now: Timestamp,
        faults: &mut Vec<FieldError>,
    ) {
        let most = Duration::from_secs(u64::from(options.delay_days_max) * 86_400);
        let (delay, run_at) = (present(fields, "delay"), present(fields, "run_at"));
        if delay.is_some() && run_at.is_some() {
            faults.push(FieldError::new("run_at", "either", "give either delay or run_at"));
        }
        if let Some(delay) = delay {
            match delay::parse(delay) {
                Some(delay) if delay <= most => self.delay = delay,
                Some(_) => {
                    let message = format!("at most {} days", options.delay_days_max);
                    faults.push(FieldError::new("delay", "range", message));
                }
                None => {
                    let message = "must be a time like 10s, 250ms or PT10S, or a number of seconds";
                    faults.push(FieldError::new("delay", "duration", message));
                }
            }
        }
        if let Some(run_at) = run_at {
            match run_at.as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
                Some(moment) if micros_between(now, moment) <= most.as_micros() => {
                    self.job.run_at = Some(moment);
                }
                Some(_) => {
                    let message = format!("at most {} days from now", options.delay_days_max);
                    faults.push(FieldError::new("run_at", "range", message));
                }
                None => faults.push(FieldError::new(
                    "run_at",
                    "moment",
                    "must be a moment like 2026-11-20T18:00:00Z",
                )),
            }
        }
    }
}

/// How long after `now` a moment is; nothing when it is past.
fn micros_between(now: Timestamp, moment: Timestamp) -> u128 {
    u128::try_from(i128::from(moment.as_micros()) - i128::from(now.as_micros())).unwrap_or(0)
}

fn job(
    fields: &Map<String, Value>,
    registry: &Registry,
    options: &TasksOptions,
    faults: &mut Vec<FieldError>,
) -> Job {
    let kind = present(fields, "task_type").or_else(|| present(fields, "type"));
    let payload = present(fields, "data").or_else(|| present(fields, "payload"));
    let payload = payload.cloned().unwrap_or_else(|| json!({}));
    let Some(kind) = kind.and_then(Value::as_str) else {
        faults.push(FieldError::new("task_type", "required", "must name a type of task"));
        return Job::new("none", Value::Null);
    };
    if !payload.is_object() {
        faults.push(FieldError::new("data", "type", "must be an object"));
        return Job::new("none", Value::Null);
    }
    let bytes = payload.to_string().len();
    if bytes > options.data_bytes_max {
        let message = format!("must be at most {} bytes of JSON, not {bytes}", options.data_bytes_max);
        faults.push(FieldError::new("data", "too_long", message));
        return Job::new("none", Value::Null);
    }
    let public = registry.get(kind).is_some_and(|kind| kind.public);
    let made = if public { registry.job(kind, payload) } else { Err(BadPayload::UnknownKind) };
    match made {
        Ok(job) => return job,
        Err(BadPayload::UnknownKind) => {
            let known: Vec<&str> = registry.public_kinds().map(|kind| kind.name.as_str()).collect();
            faults.push(FieldError::new(
                "task_type",
                "unknown_value",
                format!("must be one of {}", known.join(", ")),
            ));
        }
        Err(BadPayload::Faults(found)) => {
            let place = |path: &str| format!("data{}", path.replace('/', "."));
            faults.extend(found.into_iter().map(|pando_schema::Fault { path, message }| {
                FieldError::new(place(&path), "schema", message)
            }));
        }
    }
    Job::new("none", Value::Null)
}

/// A field that is there and not null.
fn present<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn integer(
    fields: &Map<String, Value>,
    name: &'static str,
    most: i64,
    faults: &mut Vec<FieldError>,
) -> Option<i64> {
    let value = present(fields, name)?.as_i64().filter(|value| (0..=most).contains(value));
    if value.is_none() {
        faults.push(FieldError::new(name, "range", format!("must be a whole number from 0 to {most}")));
    }
    value
}

fn text(
    fields: &Map<String, Value>,
    name: &'static str,
    most: usize,
    faults: &mut Vec<FieldError>,
) -> Option<String> {
    let text = present(fields, name)?.as_str().filter(|text| !text.is_empty() && text.len() <= most);
    if text.is_none() {
        faults.push(FieldError::new(name, "length", format!("must be a text of 1 to {most} bytes")));
    }
    text.map(ToOwned::to_owned)
}
