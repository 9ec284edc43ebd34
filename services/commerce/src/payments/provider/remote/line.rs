//! The line to a provider: one request at a time limit, repeated only if no connection was made, behind a breaker.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use pando_client::{Client, ClientError, ClientOptions};
use pando_clock::Clock;
use pando_resilience::{Breaker, Deadline};
use pando_service::prelude::*;
use serde_json::Value;

use crate::payments::provider::options::PaymentsOptions;

const SECTION: &str = "commerce.payments.http";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The way to one provider.
pub(super) struct Line {
    client: Client,
    breaker: Breaker,
    clock: Clock,
    /// The address without a slash at its end.
    url: String,
    authorization: HeaderValue,
    timeout: Duration,
    attempts_max: u32,
    pause: Duration,
}

/// An answer of the provider. The body is null if it is not JSON.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

/// There is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The breaker is open: nothing was sent.
    BreakerOpen {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// Nothing was sent.
    Unreachable,
    /// The provider may have done as it was asked.
    Unknown,
}

impl Line {
    pub(super) fn new(parts: &Parts, options: &PaymentsOptions) -> Result<Self, BadSetting> {
        let http = &options.http;
        let bad = |name: &str, reason: &str| BadSetting::new(SECTION, name, reason);
        let url = http.url.as_deref().ok_or_else(|| bad("url", "must be set for the provider `http`"))?;
        let key = http.secret_key.as_ref().map_or("", |secret| secret.expose());
        let mut authorization = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| bad("secret_key", "must have visible ASCII characters only"))?;
        authorization.set_sensitive(true);
        // Connecting ends before the whole request does, so that a server that is slow is not taken for one that cannot be reached.
        let limits = ClientOptions {
            connect_ms: options.timeout_ms * 2 / 3,
            answer_ms: options.timeout_ms,
            ..ClientOptions::default()
        };
        let destination = pando_service::destination(SECTION, "networks", &http.networks)?;
        let client = Client::new(&limits, destination, &options.tls);
        Ok(Self {
            client: client.map_err(|error| BadSetting::new("tls", "authorities", error))?,
            breaker: Breaker::new(http.breaker()),
            clock: parts.clock.clone(),
            url: url.trim_end_matches('/').to_owned(),
            authorization,
            timeout: Duration::from_millis(options.timeout_ms),
            attempts_max: http.attempts_max,
            pause: Duration::from_millis(http.retry_pause_ms),
        })
    }

    /// Asks for something.
    pub(super) async fn get(&self, call: &Call, path: &str) -> Result<Answer, NoAnswer> {
        self.ask(call, Request::get(format!("{}{path}", self.url)), Bytes::new()).await
    }

    /// Orders something. All orders with the same key are one.
    pub(super) async fn post(
        &self,
        call: &Call,
        (path, key): (&str, Option<String>),
        body: &Value,
    ) -> Result<Answer, NoAnswer> {
        let request = Request::builder().method(Method::POST).uri(format!("{}{path}", self.url));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = match key {
            Some(key) => request.header(IDEMPOTENCY_KEY, key),
            None => request,
        };
        self.ask(call, request, Bytes::from(body.to_string())).await
    }

    /// Sends a request, and sends it again if no connection was made.
    async fn ask(
        &self,
        call: &Call,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        let request = request.header(header::AUTHORIZATION, self.authorization.clone()).body(body);
        let request = request.map_err(|error| {
            tracing::error!(%error, "a request to the payment provider cannot be written");
            NoAnswer::Unreachable
        })?;
        let mut attempt = 1;
        loop {
            match self.attempt(call, request.clone()).await {
                Err(Failed::ToConnect { transient: true }) if attempt < self.attempts_max => {}
                Err(Failed::ToConnect { .. }) => return Err(NoAnswer::Unreachable),
                Err(Failed::Otherwise(no_answer)) => return Err(no_answer),
                Ok(answer) => return Ok(answer),
            }
            let pause = self.jittered(self.pause.saturating_mul(1 << (attempt - 1).min(10)));
            if call.deadline.bound(tokio::time::sleep(pause)).await.is_err() {
                return Err(NoAnswer::Unreachable);
            }
            attempt += 1;
        }
    }

    async fn attempt(&self, call: &Call, request: Request<Bytes>) -> Result<Answer, Failed> {
        if call.deadline.is_past() {
            return Err(Failed::Otherwise(NoAnswer::Unreachable));
        }
        let permit = self
            .breaker
            .admit()
            .map_err(|open| Failed::Otherwise(NoAnswer::BreakerOpen { retry_after: open.retry_after }))?;
        let deadline = call.deadline.sooner(Deadline::after(self.timeout));
        match self.client.send(&call.with_deadline(deadline), request).await {
            Ok(response) => {
                let status = response.status();
                if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                    permit.failure();
                } else {
                    permit.success();
                }
                let body = serde_json::from_slice(response.body()).unwrap_or_default();
                Ok(Answer { status, body })
            }
            Err(error) => {
                permit.failure();
                let failed = failure(&error);
                tracing::warn!(%error, ?failed, "the payment provider gave no answer");
                Err(failed)
            }
        }
    }

    /// Half to all of a pause, so that those who failed together do not come back together.
    fn jittered(&self, pause: Duration) -> Duration {
        // The tail of an id is random.
        let share = f64::from(self.clock.fresh_id().as_bytes()[15]) / f64::from(u8::MAX);
        pause.mul_f64(0.5 + share / 2.0)
    }
}

#[derive(Clone, Copy, Debug)]
enum Failed {
    /// There was no connection, so nothing was sent.
    ToConnect {
        /// Whether another attempt may succeed.
        transient: bool,
    },
    Otherwise(NoAnswer),
}

fn failure(error: &ClientError) -> Failed {
    match error {
        ClientError::UnknownHost | ClientError::Unreachable { .. } | ClientError::Untrusted { .. } => {
            Failed::ToConnect { transient: true }
        }
        ClientError::BadAddress { .. } | ClientError::Private | ClientError::Tls(_) => {
            Failed::ToConnect { transient: false }
        }
        // The list of errors may grow: an error that is not known says nothing about what was sent.
        _ => Failed::Otherwise(NoAnswer::Unknown),
    }
}

impl Answer {
    /// The error that the provider tells; none if the answer is not one of the protocol, such as the page of a proxy.
    pub(super) fn error(&self) -> Option<&Value> {
        self.body.get("error").filter(|error| error.is_object())
    }

    /// Whether the provider refused the request with an error of its own.
    pub(super) fn is_refusal(&self) -> bool {
        let refused = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY];
        self.status == StatusCode::PAYMENT_REQUIRED
            || (refused.contains(&self.status) && self.error().is_some())
    }

    /// Whether it is certain that the provider did nothing, without a word about the order itself.
    pub(super) fn did_nothing(&self) -> bool {
        let unknown = [StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT];
        self.status.is_client_error() && !unknown.contains(&self.status)
    }
}
