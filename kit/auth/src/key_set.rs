//! The public keys of an issuer: read from a file or over HTTP, kept, and read anew when a token names a key that is not among
//! them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use pando_telemetry::shown_address;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::AuthError;

/// How soon the keys are read again because a token names one that is not among them, or because they could not be read: anybody
/// can send such a token.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How many keys an issuer may have.
const KEYS_MAX: usize = 100;

/// Sends a request to an address that the settings name, or that an issuer of the settings names.
pub type Fetch =
    Arc<dyn Fn(Request<Bytes>) -> BoxFuture<'static, Result<Response<Bytes>, String>> + Send + Sync>;

/// Where the keys are.
pub(crate) enum Source {
    /// The keys themselves, such as a shared secret.
    Given,
    File(PathBuf),
    /// The address of the keys.
    Url(String),
    /// The address of the issuer, whose configuration says where the keys are.
    Discovery(String),
}

/// The keys of an issuer.
pub(crate) struct KeySet {
    again_after: Duration,
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    fetch: Fetch,
    refresh: Duration,
    keys: RwLock<Arc<Vec<NamedKey>>>,
    /// The task that holds the lock reads the keys; the others wait for its outcome.
    last: Arc<Mutex<Attempt>>,
}

/// The last time that the keys were read.
#[derive(Default)]
struct Attempt {
    began: Option<Instant>,
    failure: Option<String>,
}

pub(crate) struct NamedKey {
    pub(crate) id: Option<String>,
    pub(crate) key: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The configuration of an issuer, as OpenID Connect Discovery finds it.
#[derive(Clone, Deserialize)]
pub(crate) struct Configuration {
    issuer: String,
    jwks_uri: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
}

impl KeySet {
    pub(crate) fn given(key: DecodingKey) -> Self {
        let never: Fetch = Arc::new(|_| Box::pin(async { Err("nothing is fetched".to_owned()) }));
        let set = Self::at(Source::Given, never, Duration::MAX);
        set.inner.replace(vec![NamedKey { id: None, key }]);
        set
    }

    pub(crate) fn at(source: Source, fetch: Fetch, refresh: Duration) -> Self {
        let inner = Inner { source, fetch, refresh, keys: RwLock::default(), last: Arc::default() };
        Self { again_after: AGAIN_AFTER, inner: Arc::new(inner) }
    }

    /// The key with which a token was signed: the one it names, or the only one.
    pub(crate) async fn find(&self, id: Option<&str>) -> Result<Option<DecodingKey>, String> {
        let found = self.inner.known(id);
        if matches!(self.inner.source, Source::Given) {
            return Ok(found);
        }
        let last = match &found {
            // A token whose key is known does not wait until another task has read the keys anew.
            Some(_) => match self.inner.last.clone().try_lock_owned() {
                Ok(last) => last,
                Err(_) => return Ok(found),
            },
            None => self.inner.last.clone().lock_owned().await,
        };
        let found = self.inner.known(id);
        let (refresh, again) = (self.inner.refresh, self.again_after);
        let due_after = match (&found, &last.failure) {
            (Some(_), None) => refresh,
            (Some(_), Some(_)) => refresh.max(again),
            (None, None) => refresh.min(again),
            (None, Some(_)) => again,
        };
        let is_due = last.began.is_none_or(|moment| moment.elapsed() >= due_after);
        let failure = match is_due {
            true => self.inner.clone().attempt(last).await,
            false => last.failure.clone(),
        };
        match (self.inner.known(id), failure) {
            // An issuer that is away for a while is no reason to refuse its callers.
            (Some(key), _) => Ok(Some(key)),
            (None, Some(reason)) => Err(reason),
            (None, None) => Ok(None),
        }
    }
}

impl Inner {
    /// Reads the keys, in a task of its own: the request that asked for it may end earlier, and others wait for the outcome.
    async fn attempt(self: Arc<Self>, mut last: OwnedMutexGuard<Attempt>) -> Option<String> {
        let reading = pando_telemetry::spawn("auth.keys", async move {
            last.began = Some(Instant::now());
            last.failure = match self.read().await {
                Ok(keys) => {
                    self.replace(keys);
                    None
                }
                Err(reason) => {
                    tracing::warn!(
                        reason,
                        "the keys of an issuer cannot be read: those from before, if any, are used"
                    );
                    Some(reason)
                }
            };
            last.failure.clone()
        });
        reading.await.unwrap_or_else(|_| Some("the keys could not be read".to_owned()))
    }

    fn replace(&self, keys: Vec<NamedKey>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn known(&self, id: Option<&str>) -> Option<DecodingKey> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        match (id, keys.as_slice()) {
            (None, [only]) => Some(only.key.clone()),
            (None, _) => None,
            // A key without a name may be the one.
            (Some(_), [only]) if only.id.is_none() => Some(only.key.clone()),
            (Some(id), keys) => {
                keys.iter().find(|key| key.id.as_deref() == Some(id)).map(|key| key.key.clone())
            }
        }
    }

    async fn read(&self) -> Result<Vec<NamedKey>, String> {
        let text = match &self.source {
            Source::Given => return Err("they are given".to_owned()),
            Source::File(path) => read_file(path).map_err(|error| error.to_string())?,
            Source::Url(url) => read(&self.fetch, url).await?,
            Source::Discovery(issuer) => {
                read(&self.fetch, &discover(&self.fetch, issuer).await?.jwks_uri).await?
            }
        };
        parse(&text)
    }
}

/// The configuration that an issuer publishes.
pub(crate) async fn discover(fetch: &Fetch, issuer: &str) -> Result<Configuration, String> {
    let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let (shown, found) = (shown_address(&place), read(fetch, &place).await?);
    let found: Configuration =
        serde_json::from_slice(&found).map_err(|error| format!("{shown} is no configuration: {error}"))?;
    match found.issuer == issuer {
        true => Ok(found),
        false => Err(format!("{shown} is about another issuer")),
    }
}

async fn read(fetch: &Fetch, place: &str) -> Result<Vec<u8>, String> {
    let request = Request::get(place).body(Bytes::new());
    let shown = shown_address(place);
    let request = request.map_err(|error| format!("{shown} is no address: {error}"))?;
    let answer = fetch(request).await?;
    match answer.status().is_success() {
        true => Ok(answer.into_body().to_vec()),
        false => Err(format!("{shown} answered {}", answer.status())),
    }
}

/// The keys of a document. Those that we cannot use are left out: issuers publish keys for other purposes as well.
fn parse(text: &[u8]) -> Result<Vec<NamedKey>, String> {
    let document: Document =
        serde_json::from_slice(text).map_err(|error| format!("it is no set of keys: {error}"))?;
    if document.keys.len() > KEYS_MAX {
        return Err(format!("it has more than {KEYS_MAX} keys"));
    }
    let usable = |key: Value| {
        let is_secret = key["kty"] == "oct";
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let id = jwk.common.key_id.clone();
        let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| !is_secret)?;
        Some(NamedKey { id, key })
    };
    Ok(document.keys.into_iter().filter_map(usable).collect())
}

fn read_file(path: &Path) -> Result<Vec<u8>, AuthError> {
    std::fs::read(path).map_err(|source| AuthError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    const KEYS: &[u8] = br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[tokio::test]
    async fn an_issuer_that_is_away_is_asked_once_for_all_requests_and_again_later() {
        let (asked, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (counter, gate) = (asked.clone(), answers.clone());
        let fetch: Fetch = Arc::new(move |_| {
            let (number, gate) = (counter.fetch_add(1, Ordering::SeqCst), gate.clone());
            Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                if number == 0 { Err("away".to_owned()) } else { Ok(Response::new(Bytes::from_static(KEYS))) }
            })
        });
        let mut set =
            KeySet::at(Source::Url("https://example.org".to_owned()), fetch, Duration::from_secs(300));
        let left = tokio::time::timeout(Duration::from_millis(1), set.find(Some("one"))).await;
        assert!(left.is_err(), "nobody answers yet");
        answers.add_permits(1);
        // The request that began the attempt has gone.
        let found = join_all((0..50).map(|_| set.find(Some("one")))).await;
        assert!(found.iter().all(|found| found.as_ref().is_err_and(|reason| reason == "away")));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        set.again_after = Duration::ZERO;
        answers.add_permits(1);
        assert!(set.find(Some("one")).await.unwrap().is_some());
        assert!(set.find(Some("one")).await.unwrap().is_some());
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
