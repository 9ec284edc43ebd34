//! Requests and answers in a form that HTTP, gRPC and jobs share.

use std::fmt;

/// The answer says so when it is not the first.
pub const REPLAYED_HEADER: &str = "idempotent-replayed";

/// The headers of an answer that are kept with it: those that belong to the result, not to the way it went.
pub const KEPT_HEADERS: [&str; 4] = ["content-type", "location", "etag", "content-location"];

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

/// An answer as it is kept and repeated, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP; the code of gRPC; 200 for a job.
    pub status: u16,
    /// Those of [`KEPT_HEADERS`] it has, in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether a repeat may be given this answer: an error of ours, or a limit, may be over by then.
    pub fn is_kept(&self) -> bool {
        self.status < 500 && self.status != 429
    }

    /// Whether the effect happened.
    pub fn is_success(&self) -> bool {
        self.status < 400
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

    #[test]
    fn errors_that_may_pass_are_not_kept() {
        let kept = |status| Answer { status, headers: Vec::new(), body: Vec::new() }.is_kept();
        for (status, expected) in
            [(201, true), (409, true), (422, true), (429, false), (500, false), (503, false)]
        {
            assert_eq!(kept(status), expected, "{status}");
        }
    }
}
