//! The hash that chains an entry to the entry before it.

use std::fmt;
use std::str::FromStr;

use blake3::Hasher;

use crate::entry::StoredEntry;

/// The hash before the first entry of a tenant.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// Begins the encoding of an entry without credential and address, as all entries were at first.
const FIRST: &[u8] = b"pando.audit.1";
/// Begins the encoding of any other entry. An entry has one encoding only, so nobody can take its credential away unseen.
const SECOND: &[u8] = b"pando.audit.2";

/// The last number and hash of a tenant's log at some moment. An operator who keeps it elsewhere can prove later that the log still
/// contains all that it contained then. Its text is `number:hash`, with the hash in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// The number of the last entry; 0 if there is none.
    pub number: i64,
    /// The hash of the last entry; zeros if there is none.
    pub hash: [u8; 32],
}

/// A text that is not the head of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the head of an audit log is a number, a colon and 64 hexadecimal digits")]
pub struct BadHead;

impl Head {
    /// The head of a log without entries.
    pub(crate) const EMPTY: Self = Self { number: 0, hash: GENESIS };

    /// The head after one more entry.
    pub(crate) fn after(self, encoded: &[u8]) -> Self {
        let number = self.number.saturating_add(1);
        Self { number, hash: hash_of(&self.hash, number, encoded) }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, blake3::Hash::from_bytes(self.hash))
    }
}

impl FromStr for Head {
    type Err = BadHead;

    fn from_str(text: &str) -> Result<Self, BadHead> {
        let (number, hash) = text.split_once(':').ok_or(BadHead)?;
        let number = number.parse().ok().filter(|number| *number >= 0).ok_or(BadHead)?;
        let hash = blake3::Hash::from_hex(hash).map_err(|_| BadHead)?;
        Ok(Self { number, hash: hash.into() })
    }
}

/// The hash of an entry: of the hash before it, its number and its encoding.
pub(crate) fn hash_of(previous: &[u8; 32], number: i64, encoded: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.update(previous).update(&number.to_be_bytes()).update(encoded);
    hasher.finalize().into()
}

/// The bytes of an entry in the one order that is hashed. The length before each text keeps two fields apart.
pub(crate) fn encode(entry: &StoredEntry) -> Vec<u8> {
    let later = [&entry.credential, &entry.client];
    let (version, later) = match later.iter().all(|text| text.is_empty()) {
        true => (FIRST, &later[..0]),
        false => (SECOND, &later[..]),
    };
    let first = [
        &entry.tenant,
        &entry.actor,
        &entry.request_id,
        &entry.action,
        &entry.resource,
        &entry.resource_id,
        &entry.result,
        &entry.details,
    ];
    let texts = first.iter().chain(later);
    let length: usize = texts.clone().map(|text| 8 + text.len()).sum();
    let mut bytes = Vec::with_capacity(version.len() + 24 + length);
    bytes.extend_from_slice(version);
    bytes.extend_from_slice(entry.id.as_bytes());
    bytes.extend_from_slice(&entry.at.as_micros().to_be_bytes());
    for text in texts {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::stored;

    #[test]
    fn the_encoding_is_the_same_for_ever() {
        let head = Head::EMPTY.after(&encode(&stored()));
        let first = "1:757488d9dd6bd6af8674b77dbb6bd528f11a87862baabb0971782539bdd0906f";
        assert_eq!(head.to_string(), first, "logs that exist could not be verified any more");
        assert_ne!(head.after(&encode(&stored())).hash, head.hash);
    }

    #[test]
    fn the_encoding_of_an_entry_with_a_credential_is_the_same_for_ever() {
        let mut entry = stored();
        (entry.credential, entry.client) = ("key:0123456789abcdef".into(), "192.0.2.1".into());
        let first = "1:673bc06d0581cfef268fa9c06c53ec9cdd8ec214b7d801ceef64eb69f38eb069";
        assert_eq!(Head::EMPTY.after(&encode(&entry)).to_string(), first);
        entry.credential.clear();
        assert_ne!(Head::EMPTY.after(&encode(&entry)).to_string(), first);
    }

    #[test]
    fn neighbouring_fields_are_kept_apart() {
        let (mut one, mut two) = (stored(), stored());
        (one.action, one.resource) = ("ab".into(), "c".into());
        (two.action, two.resource) = ("a".into(), "bc".into());
        assert_ne!(encode(&one), encode(&two));
    }

    #[test]
    fn the_text_of_a_head_is_read_again() {
        let head = Head { number: 17, hash: [0xab; 32] };
        assert_eq!(head.to_string(), format!("17:{}", "ab".repeat(32)));
        assert_eq!(head.to_string().parse(), Ok(head));
        for bad in ["", "17", "17:", "17:ab", ":", "-1:", "x:00", &format!("-1:{}", "ab".repeat(32))] {
            assert_eq!(bad.parse::<Head>(), Err(BadHead), "{bad}");
        }
    }
}
