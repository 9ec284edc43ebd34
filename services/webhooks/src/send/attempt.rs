//! One attempt: a signed request, and what became of it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use pando_client::{ClientError, Target};
use pando_queue::JobContext;
use pando_resilience::Deadline;
use pando_service::prelude::*;

use crate::Webhooks;
use crate::domain::endpoint::Endpoint;
use crate::domain::given::url_fault;
use crate::domain::{events, id};
use crate::store::deliveries::{Attempted, DeliveryStatus, Due, RESPONSE_CHARS_MAX};

/// The longest pause that a receiver can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// The answer of a receiver, or why there is none.
struct Outcome {
    status: Option<StatusCode>,
    response: String,
    error: String,
    /// The pause for which the receiver asked.
    pause: Option<Duration>,
    /// Whether another attempt cannot end otherwise.
    is_final: bool,
}

impl Webhooks {
    /// Sends an event once.
    pub(super) async fn attempt(&self, context: &JobContext, endpoint: &Endpoint, due: &Due) -> Attempted {
        let began = Instant::now();
        let outcome = self.request(context, endpoint, due).await;
        let latency = began.elapsed();
        let now = self.0.parts.clock.now();
        let attempts = due.attempts + 1;
        let policy = &endpoint.settings.retry_policy;
        let pause = policy.pause(attempts, fastrand::f64()).filter(|_| !outcome.is_final);
        let pause = pause.map(|pause| pause.max(outcome.pause.unwrap_or_default()));
        let (status, pause) = match (outcome.error.is_empty(), pause) {
            (true, _) => (DeliveryStatus::Delivered, Duration::ZERO),
            (false, Some(pause)) => (DeliveryStatus::Pending, pause),
            (false, None) => (DeliveryStatus::Dead, Duration::ZERO),
        };
        self.count(status, latency);
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Attempted {
            event: due.event.id,
            status,
            attempts,
            next_at: now.plus_micros(micros(pause)),
            ended_at: now,
            response_code: outcome.status.map(|status| status.as_u16()),
            latency_micros: micros(latency),
            response: outcome.response,
            error: outcome.error,
        }
    }

    async fn request(&self, context: &JobContext, endpoint: &Endpoint, due: &Due) -> Outcome {
        // The rules may be narrower than when the endpoint was made.
        if let Some(fault) = url_fault(&endpoint.url, &self.rules()) {
            return Outcome::failed(format!("the address {fault}"), true);
        }
        let request = match signed(endpoint, due, self.0.parts.clock.now()) {
            Ok(request) => request,
            Err(error) => return Outcome::failed(error, true),
        };
        let timeout_ms = self.0.options.timeout_ms;
        let deadline = Deadline::after(Duration::from_millis(timeout_ms));
        match self.0.client.send_cut(&context.call().with_deadline(deadline), request).await {
            Ok(answer) => Outcome::of(&answer),
            Err(ClientError::Late { .. }) => {
                Outcome::failed(format!("no answer within {timeout_ms} ms"), false)
            }
            Err(error) => Outcome::failed(error.to_string(), !error.is_transient()),
        }
    }

    fn count(&self, status: DeliveryStatus, latency: Duration) {
        let outcome = match status {
            DeliveryStatus::Delivered => "delivered",
            DeliveryStatus::Pending => "failed",
            DeliveryStatus::Dead => "dead",
        };
        let metrics = &self.0.parts.metrics;
        let help = "Attempts to send an event to a webhook, by outcome.";
        metrics.counter("webhook_attempts_total", help, &[("outcome", outcome)]).inc();
        let help = "How long attempts to send an event took.";
        let buckets = &pando_telemetry::LATENCY_BUCKETS;
        metrics
            .histogram("webhook_attempt_duration_seconds", help, &[], buckets)
            .observe(latency.as_secs_f64());
    }
}

impl Outcome {
    fn failed(error: String, is_final: bool) -> Self {
        Self { status: None, response: String::new(), error, pause: None, is_final }
    }

    fn of(answer: &Response<Bytes>) -> Self {
        let status = answer.status();
        // NUL is no part of a text that a database keeps.
        let text = String::from_utf8_lossy(answer.body()).replace('\0', "");
        let after = answer.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        Self {
            status: Some(status),
            response: text.chars().take(RESPONSE_CHARS_MAX).collect(),
            // A redirect is an answer like any other: following it could lead anywhere.
            error: if status.is_success() { String::new() } else { format!("answered {}", status.as_u16()) },
            pause: after.map(|pause| pause.min(RETRY_AFTER_MAX)),
            is_final: false,
        }
    }
}

/// The request: the body, its signatures, and the headers of the caller.
fn signed(endpoint: &Endpoint, due: &Due, now: Timestamp) -> Result<Request<Bytes>, String> {
    let target = Target::parse(&endpoint.url).map_err(|error| error.to_string())?;
    let body = events::body(endpoint.id, &due.event);
    let id = id::EVENT.show(due.event.id);
    let signatures = endpoint.secrets.sign(&id, now, &body);
    let seconds = now.as_micros().div_euclid(1_000_000).to_string();
    let webhook = id::WEBHOOK.show(endpoint.id);
    let mut headers = HeaderMap::new();
    for (name, value) in &endpoint.secrets.headers {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|error| error.to_string())?);
    }
    let ours = [
        ("content-type", "application/json"),
        ("user-agent", "pando-webhooks"),
        ("host", &target.authority),
        ("x-webhook-id", &webhook),
        ("x-webhook-event", &due.event.kind),
        ("x-webhook-timestamp", &seconds),
        ("x-webhook-signature", &signatures.plain),
        ("webhook-id", &id),
        ("webhook-timestamp", &seconds),
        ("webhook-signature", &signatures.standard),
    ];
    let previous = signatures.plain_previous.as_deref().map(|value| ("x-webhook-signature-previous", value));
    for (name, value) in ours.into_iter().chain(previous) {
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        headers.insert(HeaderName::from_static(name), value);
    }
    let request = Request::post(target.uri).body(Bytes::from(body)).map_err(|error| error.to_string())?;
    let (mut parts, body) = request.into_parts();
    parts.headers = headers;
    Ok(Request::from_parts(parts, body))
}
