//! The name of an object: the hash of its content, and an ending for its format.

use std::fmt;

/// Letters of a hash.
const HASH_LENGTH: usize = 64;
/// Letters of an ending at most.
const ENDING_LENGTH_MAX: usize = 5;

/// The name of an object: 64 hexadecimal digits, a dot, and an ending of one to five small letters and digits.
///
/// There is no other way to make one, so that no name is ever a path to somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(Box<str>);

impl ObjectName {
    /// The name of this content; `None` if the ending is not valid.
    pub fn of(content: &[u8], ending: &str) -> Option<Self> {
        Self::parse(&format!("{}.{ending}", blake3::hash(content).to_hex()))
    }

    /// Reads a name; anything else names no object.
    pub fn parse(text: &str) -> Option<Self> {
        let (hash, ending) = text.split_once('.')?;
        let is_hash =
            hash.len() == HASH_LENGTH && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_ending = (1..=ENDING_LENGTH_MAX).contains(&ending.len())
            && ending.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (is_hash && is_ending).then(|| Self(text.into()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash of the content.
    pub fn hash(&self) -> &str {
        &self.0[..HASH_LENGTH]
    }

    /// The part after the dot.
    pub fn ending(&self) -> &str {
        &self.0[HASH_LENGTH + 1..]
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_hash_and_an_ending_and_nothing_else() {
        let name = ObjectName::of(b"hello", "png").expect("an ending");
        assert_eq!(ObjectName::parse(name.as_str()), Some(name.clone()));
        assert_eq!((name.hash().len(), name.ending()), (64, "png"));
        assert_ne!(ObjectName::of(b"hello!", "png"), Some(name.clone()));
        let hash = name.hash();
        for bad in [
            "",
            ".",
            "..",
            hash,
            &format!("{hash}."),
            &format!("{hash}.PNG"),
            &format!("{hash}.toolong"),
            &format!("{hash}.png/.."),
            &format!("{hash}.a.b"),
            &format!("../{hash}.png"),
            &format!("{}.png", hash.to_uppercase()),
            &format!("{}.png", &hash[1..]),
            &format!("{}\0.png", &hash[1..]),
        ] {
            let uppercase_of_digits = bad.starts_with(hash) && ObjectName::parse(bad).is_some();
            assert!(
                ObjectName::parse(bad).is_none() || uppercase_of_digits && bad == name.as_str(),
                "{bad:?}"
            );
        }
        assert_eq!(ObjectName::of(b"hello", "../x"), None);
    }
}
