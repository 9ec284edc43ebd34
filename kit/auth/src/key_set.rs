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
use tokio::sync::Mutex;

use crate::AuthError;

/// How soon the keys are read again because a token names one that is not among them: anybody can send such a token.
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
    source: Source,
    fetch: Fetch,
    refresh: Duration,
    keys: RwLock<Arc<Vec<NamedKey>>>,
    /// When the keys were last read, or an attempt was made. The task that holds the lock reads them.
    read_at: Mutex<Option<Instant>>,
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
        let keys = vec![NamedKey { id: None, key }];
        let never: Fetch = Arc::new(|_| Box::pin(async { Err("nothing is fetched".to_owned()) }));
        Self { keys: RwLock::new(Arc::new(keys)), ..Self::at(Source::Given, never, Duration::MAX) }
    }

    pub(crate) fn at(source: Source, fetch: Fetch, refresh: Duration) -> Self {
        Self { source, fetch, refresh, keys: RwLock::default(), read_at: Mutex::default() }
    }

    /// The key with which a token was signed: the one it names, or the only one.
    pub(crate) async fn find(&self, id: Option<&str>) -> Result<Option<DecodingKey>, String> {
        let found = self.known(id);
        if matches!(self.source, Source::Given) {
            return Ok(found);
        }
        let mut read_at = match &found {
            // A token whose key is known does not wait until another task has read the keys anew.
            Some(_) => match self.read_at.try_lock() {
                Ok(read_at) => read_at,
                Err(_) => return Ok(found),
            },
            None => self.read_at.lock().await,
        };
        let age = read_at.map(|moment| moment.elapsed());
        let is_due = age.is_none_or(|age| age >= self.refresh || found.is_none() && age >= AGAIN_AFTER);
        if !is_due {
            return Ok(self.known(id));
        }
        *read_at = Some(Instant::now());
        match self.read().await {
            Ok(keys) => *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys),
            // An issuer that is away for a while is no reason to refuse its callers.
            Err(reason) if found.is_some() => {
                tracing::warn!(reason, "the keys of an issuer cannot be read: those from before are used");
            }
            Err(reason) => {
                *read_at = None;
                return Err(reason);
            }
        }
        Ok(self.known(id))
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
