//! Sends a request to an address.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use pando_client::{Client, ClientError, ClientOptions, Destination, Target};
use pando_queue::{JobContext, JobError, JobKind, JobResult, JobState, QueueError, Settings};
use pando_resilience::Deadline;
use pando_schema::Fault;
use pando_service::{BadSetting, destination};
use serde_json::{Value, json};

use crate::{TaskStatus, TasksOptions};

/// How addresses are called.
#[derive(Clone)]
struct Caller {
    timeout_ms: u64,
    client: Client,
}

pub(super) fn kind(options: &TasksOptions) -> Result<JobKind, QueueError> {
    let reachable = destination("tasks", "callback_networks", &options.callback_networks)?;
    let timeout_ms = options.callback_timeout_ms;
    // Connecting and waiting share the time of the attempt.
    let limits = ClientOptions { connect_ms: timeout_ms, answer_ms: timeout_ms, ..ClientOptions::default() };
    let client = Client::new(&limits, reachable.clone(), &options.tls);
    let client = client.map_err(|error| BadSetting::new("tls", "authorities", error))?;
    let caller = Caller { timeout_ms, client };
    Ok(JobKind {
        public: true,
        summary: "Sends a request to an address; addresses that are not public are refused".to_owned(),
        check: Some(Arc::new(move |data| faults(data, &reachable))),
        schema: Some(json!({
            "type": "object",
            "properties": {
                "url": {"type": "string", "maxLength": 2048, "pattern": "^https?://"},
                "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 50},
                "body": {}
            },
            "required": ["url"]
        })),
        settings: Settings { timeout_ms: Some(caller.timeout_ms + 5_000), pauses_ms: None },
        attempts_max: 10,
        ..JobKind::new("http_callback", move |context, data| call(context, data, caller.clone()))
    })
}

/// The faults that would prevent every attempt to send the request.
fn faults(data: &Value, reachable: &Destination) -> Vec<Fault> {
    let fault = |path: String, message: String| Fault { path, message };
    let mut faults = Vec::new();
    match Target::parse(data["url"].as_str().unwrap_or_default()) {
        Ok(target) => {
            faults.extend(reachable.refusal(&target).map(|message| fault("/url".to_owned(), message)));
        }
        Err(error) => faults.push(fault("/url".to_owned(), error.to_string())),
    }
    for (name, value) in data["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if HeaderName::try_from(name).is_err() {
            faults.push(fault(format!("/headers/{name}"), "is not the name of a header".to_owned()));
        } else if HeaderValue::try_from(value).is_err() {
            faults.push(fault(format!("/headers/{name}"), "is not the value of a header".to_owned()));
        }
    }
    faults
}

async fn call(context: JobContext, data: Value, caller: Caller) -> JobResult {
    let target = Target::parse(data["url"].as_str().unwrap_or_default()).map_err(JobError::give_up)?;
    let request = request(&context, &data, &target)?;
    let deadline = Deadline::after(Duration::from_millis(caller.timeout_ms));
    let answer = caller.client.notify(&context.call().with_deadline(deadline), request).await;
    let Parts { status, headers, .. } = answer.map_err(|error| match error {
        ClientError::Late { .. } => JobError::retry(format!("no answer within {} ms", caller.timeout_ms)),
        error if error.is_transient() => JobError::retry(error),
        error => JobError::give_up(error),
    })?;
    let after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match after {
        _ if status.is_success() => Ok(json!({"status": status.as_u16()})),
        Some(seconds) if may_pass(status) => {
            let pause = Duration::from_secs(seconds.min(3_600));
            Err(JobError::retry_after(pause, format!("answered {}", status.as_u16())))
        }
        None if may_pass(status) => Err(JobError::retry(format!("answered {}", status.as_u16()))),
        // A redirect is an answer like any other: following it could lead anywhere.
        _ => Err(JobError::give_up(format!("answered {}", status.as_u16()))),
    }
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

fn request(context: &JobContext, data: &Value, target: &Target) -> Result<Request<Bytes>, JobError> {
    let method = data["method"].as_str().unwrap_or("POST").parse::<Method>().map_err(JobError::give_up)?;
    let body = match data.get("body") {
        None | Some(Value::Null) => Vec::new(),
        // How the task ended stands beside what the caller wants to be told.
        Some(body) => match (body.clone(), data.get("batch")) {
            (Value::Object(mut body), Some(batch)) => {
                // A schedule does not know its tasks beforehand.
                body.entry("task_id").or_insert_with(|| batch["last_job"].clone());
                body.insert("status".to_owned(), json!(end_of(batch)));
                Value::Object(body).to_string().into_bytes()
            }
            (body, _) => body.to_string().into_bytes(),
        },
    };
    let mut request = Request::builder()
        .method(method)
        .uri(target.uri.clone())
        .body(Bytes::new())
        .map_err(JobError::give_up)?;
    *request.headers_mut() = headers(context, data, target)?;
    // hyper says nothing of a body that is empty, and some servers then wait for one.
    if body.is_empty() && request.method() != Method::GET {
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    *request.body_mut() = Bytes::from(body);
    Ok(request)
}

/// The status of the task that has ended.
fn end_of(batch: &Value) -> &'static str {
    match batch["last"].as_str().and_then(JobState::parse) {
        Some(state) => TaskStatus::of(state).as_str(),
        // It was stored by a version that did not say.
        None if batch["failed"].as_u64().unwrap_or(0) > 0 => "failed",
        None => "completed",
    }
}

/// The caller's headers, and those that are ours to set.
fn headers(context: &JobContext, data: &Value, target: &Target) -> Result<HeaderMap, JobError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("pando"));
    let given = data["headers"].as_object().into_iter().flatten();
    for (name, value) in given.filter(|(name, _)| !is_ours(name)) {
        let name = HeaderName::try_from(name).map_err(JobError::give_up)?;
        headers.insert(
            name,
            HeaderValue::try_from(value.as_str().unwrap_or_default()).map_err(JobError::give_up)?,
        );
    }
    headers.insert(header::HOST, HeaderValue::try_from(&target.authority).map_err(JobError::give_up)?);
    // The same in every attempt, so that a server that is called twice can tell.
    let id = HeaderValue::try_from(context.id().to_string()).map_err(JobError::give_up)?;
    headers.insert("pando-delivery-id", id);
    Ok(headers)
}

/// Clients cannot set the headers that decide where a message goes and where it ends.
fn is_ours(name: &str) -> bool {
    let ours =
        ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"];
    ours.iter().any(|known| name.eq_ignore_ascii_case(known))
}
