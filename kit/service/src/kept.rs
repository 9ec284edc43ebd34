//! An answer in the form in which the cache keeps it: ready to be sent.

use std::time::Duration;

use bytes::Bytes;
use pando_cache::{Found, Loaded, Source};
use pando_http::Encoding;
use serde::Serialize;

use crate::Fault;

/// How an answer ends that says where it was read, as the cache keeps it.
const FROM_CACHE: &[u8] = br#","source":"cache"}"#;
const FROM_DATABASE: &[u8] = br#","source":"database"}"#;

/// A value, ready to be sent, and where it was read.
#[derive(Clone, Debug)]
pub struct Kept {
    bytes: Bytes,
    version: i64,
    source: Source,
    age: Duration,
    /// The entry of the cache, with its other forms.
    found: Option<Found>,
}

impl Kept {
    /// The form in which the cache keeps a value under a name: `{"profile":{…},"source":"cache"}`.
    pub fn named(name: &str, value: &impl Serialize, version: i64) -> Result<Loaded, Fault> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(b"{\"");
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b"\":");
        serde_json::to_writer(&mut bytes, value)?;
        bytes.extend_from_slice(FROM_CACHE);
        Ok(Loaded::new(version, bytes))
    }

    /// The form in which the cache keeps an object, with `source` as its last member.
    pub fn object(value: &impl Serialize, version: i64) -> Result<Loaded, Fault> {
        let mut bytes = Vec::with_capacity(1024);
        serde_json::to_writer(&mut bytes, value)?;
        // The object goes on.
        bytes.pop();
        bytes.extend_from_slice(FROM_CACHE);
        Ok(Loaded::new(version, bytes))
    }

    /// A value that has just been read, where nothing is cached.
    pub fn fresh(loaded: Loaded) -> Self {
        let (bytes, version) = (loaded.bytes, loaded.version);
        Self { bytes, version, source: Source::Origin, age: Duration::ZERO, found: None }
    }

    /// The value as the cache keeps it.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The answer: the value, and where it was read if it says so.
    pub fn answer(&self) -> Bytes {
        match self.bytes.strip_suffix(FROM_CACHE) {
            Some(value) if self.source == Source::Origin => [value, FROM_DATABASE].concat().into(),
            _ => self.bytes.clone(),
        }
    }

    /// The value that was kept under this name.
    pub fn value_named(&self, name: &str) -> &[u8] {
        let begin = (name.len() + r#"{"":"#.len()).min(self.bytes.len());
        self.bytes[begin..].strip_suffix(FROM_CACHE).unwrap_or(&self.bytes[begin..])
    }

    /// Its version.
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

    /// The value in another encoding, if that is kept beside it.
    pub fn packed(&self, encoding: Encoding) -> Option<Bytes> {
        let found = self.found.as_ref().filter(|_| self.source != Source::Origin)?;
        if encoding == Encoding::Identity {
            return None;
        }
        found.variant(encoding.slot(), |answer| encoding.pack(answer))
    }
}

impl From<Found> for Kept {
    fn from(found: Found) -> Self {
        let (source, age, version) = (found.source, found.age, found.version());
        Self { bytes: found.bytes().clone(), version, source, age, found: Some(found) }
    }
}
