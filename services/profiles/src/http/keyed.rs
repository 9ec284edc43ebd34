//! Requests with an `Idempotency-Key`: a repeated request gets the first answer again.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use pando_http::{Code, JsonDocument, Problem, etag};
use pando_idempotency::{Admission, Answer, Claim, KEPT_HEADERS, Key, REPLAYED_HEADER, Scope, hash_of};
use pando_resilience::Call;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, IntoResponses};

use super::bulk::BatchAnswer;
use super::person::place_of;
use super::profiles::location_of;
use super::with_token;
use crate::images::place_of_image;
use crate::once::{Once, Outcome};
use crate::{ProfileError, Profiles};

const KEY_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("idempotency-key"), HeaderName::from_static("x-idempotency-key")];

/// The header by which a repeated request is recognised.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes the header; Keyed reads it")]
pub(crate) struct KeyParameter {
    /// Repeats with the same key get the first answer, with `Idempotent-Replayed: true`
    #[param(rename = "Idempotency-Key", pattern = "^[A-Za-z0-9_-]{1,64}$")]
    idempotency_key: Option<String>,
}

/// The refusals that every request with a key can get.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes the answers; `once` makes them")]
pub(crate) enum KeyRefused {
    /// Another request with this Idempotency-Key is still being processed
    #[response(status = 409)]
    InFlight,
    /// The Idempotency-Key was used for another request
    #[response(status = 422)]
    OtherRequest,
}

/// The key of a request, with everything that must be the same in a repeat; `None` without a key.
pub(crate) struct Keyed(Option<Box<Asked>>);

struct Asked {
    key: Key,
    path: String,
    media: Vec<u8>,
    if_match: Vec<u8>,
    body: Bytes,
}

/// The fields of a JSON body, and the key of its request.
pub(crate) struct KeyedFields(pub(crate) Map<String, Value>, pub(crate) Keyed);

impl Keyed {
    fn of(headers: &HeaderMap, uri: &Uri) -> Result<Self, Problem> {
        let Some(value) = KEY_HEADERS.iter().find_map(|name| headers.get(name)) else {
            return Ok(Self(None));
        };
        let key = Key::parse(value.to_str().unwrap_or_default()).map_err(|error| {
            let text = error.to_string();
            Problem::malformed(text.clone()).with_field("Idempotency-Key", "malformed", text)
        })?;
        let bytes = |name| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes).to_vec();
        Ok(Self(Some(Box::new(Asked {
            key,
            path: uri.path().to_owned(),
            media: bytes(header::CONTENT_TYPE),
            if_match: bytes(header::IF_MATCH),
            body: Bytes::new(),
        }))))
    }

    /// The body is part of the request's identity.
    pub(crate) fn with_body(mut self, body: &Bytes) -> Self {
        if let Some(asked) = &mut self.0 {
            asked.body = body.clone();
        }
        self
    }

    /// Of an upload only the content counts, not its wrapping: the boundary between the parts of a form differs each time.
    pub(crate) fn with_content(mut self, content: &Bytes) -> Self {
        if let Some(asked) = &mut self.0 {
            asked.media.clear();
            asked.body = Bytes::copy_from_slice(&hash_of(&[content]));
        }
        self
    }

    /// Whether there is a key.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Runs a write, once for all requests with its key; without a key, it just runs. This much is compiled for every
    /// write there is: what comes before and after it is not.
    pub(crate) async fn once(
        self,
        profiles: Profiles,
        call: &Call,
        operation: &str,
        write: impl AsyncFnOnce(Profiles) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        let (profiles, first) = match self.admit(profiles, call, operation).await? {
            Turn::Answered(response) => return Ok(response),
            Turn::Write(profiles, first) => (profiles, first),
        };
        match (write(profiles).await, first) {
            (Err(problem), Some(first)) => first.refused(call, problem).await,
            (written, _) => written,
        }
    }

    async fn admit(self, profiles: Profiles, call: &Call, operation: &str) -> Result<Turn, Problem> {
        let Some(asked) = self.0 else { return Ok(Turn::Write(profiles, None)) };
        let path = asked.path.clone();
        let admitted = profiles.0.idempotency.admit(call, asked.request(call, operation)).await;
        let ticket = match admitted.map_err(ProfileError::from)? {
            Admission::First(ticket) => ticket,
            Admission::Replay(answer) => return Ok(Turn::Answered(profiles.replayed(call, answer).await?)),
            Admission::InFlight => return Err(in_flight()),
            Admission::OtherRequest => return Err(other_request()),
        };
        let once = Arc::new(Once::new(ticket, answer));
        let writer = profiles.once(&once);
        Ok(Turn::Write(writer, Some(Box::new(First { once, path, profiles }))))
    }
}

/// The state of a request before its write.
enum Turn {
    /// A repeat: its answer is known.
    Answered(Response),
    /// It is written, by this service; whoever has a key keeps its answer.
    Write(Profiles, Option<Box<First>>),
}

/// The first request with its key.
struct First {
    once: Arc<Once>,
    path: String,
    profiles: Profiles,
}

impl First {
    /// The answer when nothing was written. If another request was first after all, it is that request's answer.
    async fn refused(&self, call: &Call, problem: Problem) -> Result<Response, Problem> {
        match self.once.taken() {
            Some(Claim::Replay(answer)) => return self.profiles.replayed(call, answer).await,
            Some(Claim::OtherRequest) => return Err(other_request()),
            Some(_) => return Err(in_flight()),
            None => {}
        }
        let Some(refusal) = refusal(&problem, call, &self.path).await? else { return Err(problem) };
        self.once.keep_refusal(call, &refusal).await?;
        respond(refusal)
    }
}

impl Asked {
    fn request(self, call: &Call, operation: &str) -> pando_idempotency::Request {
        let Self { key, path, media, if_match, body } = self;
        let hash = hash_of(&[path.as_bytes(), &media, &if_match, &body]);
        let (actor, operation) = (call.actor.to_string(), operation.to_owned());
        pando_idempotency::Request { scope: Scope { tenant: String::new(), actor, operation }, key, hash }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers, &parts.uri)
    }
}

impl<S: Send + Sync> FromRequest<S> for KeyedFields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let keyed = Keyed::of(request.headers(), request.uri())?;
        let document = JsonDocument::from_request(request, state).await?;
        let keyed = keyed.with_body(&document.bytes);
        Ok(Self(document.into_object()?, keyed))
    }
}

fn in_flight() -> Problem {
    Problem::new(Code::Conflict, "another request with this key is still being processed").with_retry_after(1)
}

fn other_request() -> Problem {
    Problem::new(Code::Invalid, "this key was used for another request").with_field(
        "Idempotency-Key",
        "reused",
        "was used for another request",
    )
}

/// The stored answer to a success, which the handler sends as well.
fn answer(outcome: Outcome<'_>) -> Result<Answer, ProfileError> {
    match outcome {
        Outcome::Made(profile) => {
            let mut answer = json(StatusCode::CREATED, profile, Some(profile.version))?;
            answer.headers.push(("location".to_owned(), location_of(profile)));
            Ok(answer)
        }
        Outcome::Current(profile) => json(StatusCode::OK, profile, Some(profile.version)),
        Outcome::Gone => Ok(Answer { status: 204, headers: Vec::new(), body: Vec::new() }),
        Outcome::Address(address, version) => json(StatusCode::OK, address, Some(version)),
        Outcome::Preferences(preferences, version) => json(StatusCode::OK, preferences, Some(version)),
        Outcome::Accepted(accepted) => {
            let mut answer = json(StatusCode::ACCEPTED, accepted, None)?;
            answer.headers.push(("location".to_owned(), place_of(accepted)));
            Ok(answer)
        }
        Outcome::Image(added, profile) => {
            let status = if added.fresh { StatusCode::CREATED } else { StatusCode::OK };
            let mut answer = json(status, &added.image, Some(added.version))?;
            answer.headers.push(("location".to_owned(), place_of_image(profile, &added.image)));
            Ok(answer)
        }
        Outcome::ImageGone(version) => {
            let tag = etag(version).to_str().unwrap_or_default().to_owned();
            Ok(Answer { status: 204, headers: vec![("etag".to_owned(), tag)], body: Vec::new() })
        }
        Outcome::Batch(results) => json(StatusCode::OK, &BatchAnswer { results: results.to_vec() }, None),
    }
}

fn json(status: StatusCode, body: &impl Serialize, version: Option<i64>) -> Result<Answer, ProfileError> {
    let body = serde_json::to_vec(body).map_err(|error| ProfileError::Unwritable(error.to_string()))?;
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let tag = version.map(|version| etag(version).to_str().unwrap_or_default().to_owned());
    headers.extend(tag.map(|tag| ("etag".to_owned(), tag)));
    Ok(Answer { status: status.as_u16(), headers, body })
}

/// The stored answer to a refusal: the body that this request got, so that repeats get the same. The refusal of an invalid
/// request is not stored, so its key stays free for the corrected request.
async fn refusal(problem: &Problem, call: &Call, path: &str) -> Result<Option<Answer>, Problem> {
    let status = problem.status();
    let invalid = [
        StatusCode::BAD_REQUEST,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY,
    ];
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || invalid.contains(&status) {
        return Ok(None);
    }
    let (parts, body) = problem.clone().into_response().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(Problem::internal)?;
    let mut document: Map<String, Value> = serde_json::from_slice(&body).map_err(Problem::internal)?;
    document.insert("instance".to_owned(), path.into());
    document.insert("request_id".to_owned(), call.request_id.as_ref().into());
    let kept = |name: &str| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_owned(), value.to_owned()))
    };
    let headers = KEPT_HEADERS.into_iter().filter_map(kept).collect();
    let body = serde_json::to_vec(&document).map_err(Problem::internal)?;
    Ok(Some(Answer { status: parts.status.as_u16(), headers, body }))
}

impl Profiles {
    /// The first answer again. Its token is the present position of the database, which lies behind the write in any process.
    async fn replayed(&self, call: &Call, answer: Answer) -> Result<Response, Problem> {
        let wrote = answer.is_success();
        let mut response = respond(answer)?;
        response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
        if !wrote {
            return Ok(response);
        }
        let token = self.0.database.position(call).await.map_err(ProfileError::from)?;
        Ok(with_token(response, &token))
    }
}

fn respond(answer: Answer) -> Result<Response, Problem> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(Problem::internal)?;
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name).map_err(Problem::internal)?;
        response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(Problem::internal)?);
    }
    Ok(response)
}
