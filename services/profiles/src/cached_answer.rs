//! An answer in the form in which the cache keeps it: JSON that is ready to be sent.

use std::time::Duration;

use bytes::Bytes;
use pando_cache::{Found, Loaded, Source};
use pando_http::Encoding;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::ProfileError;
use crate::parts::FullProfile;
use crate::profile::Profile;

/// How every answer that can be cached ends, as the cache keeps it.
const FROM_CACHE: &[u8] = br#","source":"cache"}"#;
const FROM_DATABASE: &[u8] = br#","source":"database"}"#;
/// How the answer of a single profile begins.
const PROFILE: &[u8] = br#"{"profile":"#;

/// A profile, alone or with its parts, as it is answered.
#[derive(Clone, Debug)]
pub struct CachedAnswer {
    /// The answer as it reads when it comes from the cache.
    bytes: Bytes,
    version: i64,
    source: Source,
    age: Duration,
    /// The entry of the cache, with its other forms.
    found: Option<Found>,
}

impl CachedAnswer {
    /// The form in which the cache keeps a profile.
    pub(crate) fn remembered(profile: &Profile) -> Result<Loaded, ProfileError> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(PROFILE);
        write(&mut bytes, profile)?;
        bytes.extend_from_slice(FROM_CACHE);
        Ok(Loaded::new(profile.version, bytes))
    }

    /// The form in which the cache keeps a profile with its parts.
    pub(crate) fn remembered_full(full: &FullProfile) -> Result<Loaded, ProfileError> {
        let mut bytes = Vec::with_capacity(1024);
        write(&mut bytes, full)?;
        // The object goes on.
        bytes.pop();
        bytes.extend_from_slice(FROM_CACHE);
        Ok(Loaded::new(full.profile.version, bytes))
    }

    /// An answer that has just been read, if nothing is cached.
    pub(crate) fn fresh(loaded: Loaded) -> Self {
        let (bytes, version) = (loaded.bytes, loaded.version);
        Self { bytes, version, source: Source::Origin, age: Duration::ZERO, found: None }
    }

    /// The version of the profile.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Where it was read.
    pub fn source(&self) -> Source {
        self.source
    }

    /// How long ago it was read from the database.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// The answer, as JSON.
    pub fn answer(&self) -> Bytes {
        if self.source != Source::Origin {
            return self.bytes.clone();
        }
        let kept = self.bytes.len() - FROM_CACHE.len();
        [&self.bytes[..kept], FROM_DATABASE].concat().into()
    }

    /// How long the answer is as the cache keeps it.
    pub(crate) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The answer in another encoding, if that is kept beside it.
    pub(crate) fn packed(&self, encoding: Encoding) -> Option<Bytes> {
        let found = self.found.as_ref().filter(|_| self.source != Source::Origin)?;
        if encoding == Encoding::Identity {
            return None;
        }
        found.variant(encoding.slot(), |answer| encoding.pack(answer))
    }

    /// The profile alone, as JSON; only where it was read alone.
    pub(crate) fn profile_json(&self) -> &[u8] {
        &self.bytes[PROFILE.len()..self.bytes.len() - FROM_CACHE.len()]
    }

    /// The object under `name` in the answer.
    pub(crate) fn object(&self, name: &str) -> Result<Map<String, Value>, ProfileError> {
        let mut answer: Map<String, Value> = serde_json::from_slice(&self.bytes).map_err(unwritable)?;
        match answer.remove(name) {
            Some(Value::Object(object)) => Ok(object),
            _ => Ok(Map::new()),
        }
    }
}

impl From<Found> for CachedAnswer {
    fn from(found: Found) -> Self {
        let (source, age, version) = (found.source, found.age, found.version());
        Self { bytes: found.bytes().clone(), version, source, age, found: Some(found) }
    }
}

fn write(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<(), ProfileError> {
    serde_json::to_writer(bytes, value).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> ProfileError {
    ProfileError::Unwritable(error.to_string())
}
