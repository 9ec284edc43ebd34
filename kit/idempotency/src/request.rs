//! Requests and answers in a form that HTTP, gRPC and jobs share.

use std::fmt;

/// A key chosen by the caller: 1 to 64 letters, digits, `_` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is 1 to 64 letters, digits, `_` or `-`")]
pub struct BadKey;

impl Key {
    /// The key that a text is.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let good = !text.is_empty() && text.len() <= 64 && text.bytes().all(fits);
        if good { Ok(Self(text.to_owned())) } else { Err(BadKey) }
    }

    /// Takes a key from the store, where only parsed ones are.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a key counts: the same key of another tenant, user or operation is another key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// Whose data.
    pub tenant: String,
    /// The caller.
    pub actor: String,
    /// The operation: `POST /api/v1/profiles`, a method of gRPC, a kind of job.
    pub operation: String,
}

/// One request with a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Where the key counts.
    pub scope: Scope,
    /// The key.
    pub key: Key,
    /// The identity of the request, made with [`hash_of`].
    pub hash: [u8; 32],
}

/// The hash of the parts of a request that must be the same in a repeat: path, content type, body.
pub fn hash_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // With the lengths of the parts, so that moving bytes from one part to the next gives another request.
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// The result of a request, without a transport. Each transport turns it into its own answer, for the first request and for its
/// repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the request was refused, and had no effect.
    pub is_refusal: bool,
    /// The value, or the reason of the refusal, as JSON.
    pub body: Vec<u8>,
}

impl Outcome {
    /// The request had its effect, and this is its value.
    pub fn success(body: impl Into<Vec<u8>>) -> Self {
        Self { is_refusal: false, body: body.into() }
    }

    /// The request had no effect, and this is the reason.
    pub fn refusal(body: impl Into<Vec<u8>>) -> Self {
        Self { is_refusal: true, body: body.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_plain() {
        for good in ["a", "A-b_9", &"x".repeat(64)] {
            assert_eq!(Key::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "é", "a/b", "a.b", &"x".repeat(65)] {
            assert_eq!(Key::parse(bad), Err(BadKey), "{bad:?}");
        }
    }

    #[test]
    fn parts_are_hashed_with_their_borders() {
        assert_eq!(hash_of(&[b"ab", b"c"]), hash_of(&[b"ab", b"c"]));
        assert_ne!(hash_of(&[b"ab", b"c"]), hash_of(&[b"a", b"bc"]));
        assert_ne!(hash_of(&[b"a"]), hash_of(&[b"a", b""]));
    }
}
