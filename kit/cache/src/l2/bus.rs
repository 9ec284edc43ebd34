//! The messages between processes: a key, and the first version that is valid. A message never carries a value.

use bytes::Bytes;

/// The kinds of invalidations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Versions of a key below one are out.
    Key,
    /// Everything with a tag is out.
    Tag,
    /// Everything is out.
    Clear,
    /// Everything is expired.
    Expire,
}

/// One message. Stamps of Redis's clock come at the end of all but the first kind: the script appends them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) sender: u64,
    pub(crate) kind: Kind,
    pub(crate) cache: Box<str>,
    pub(crate) version: i64,
    pub(crate) position: u64,
    /// The key or the tag.
    pub(crate) name: Bytes,
    pub(crate) stamp: i64,
}

const STAMP: usize = 20;

impl Message {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut text = vec![b'1', self.kind.letter()];
        text.extend_from_slice(&self.sender.to_be_bytes());
        text.extend_from_slice(&self.version.to_be_bytes());
        text.extend_from_slice(&self.position.to_be_bytes());
        // Names of caches are checked to be short.
        text.push(u8::try_from(self.cache.len()).unwrap_or(u8::MAX));
        text.extend_from_slice(self.cache.as_bytes());
        text.extend_from_slice(&self.name);
        text
    }

    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let kind = Kind::of(*text.get(1).filter(|_| text[0] == b'1')?)?;
        let eight = |from: usize| -> Option<[u8; 8]> { text.get(from..from + 8)?.try_into().ok() };
        let cache_end = 27 + usize::from(*text.get(26)?);
        let rest = text.get(cache_end..)?;
        let stamped = if kind == Kind::Key { 0 } else { STAMP };
        let (name, stamp) = rest.split_at_checked(rest.len().checked_sub(stamped)?)?;
        Some(Self {
            sender: u64::from_be_bytes(eight(2)?),
            kind,
            cache: std::str::from_utf8(text.get(27..cache_end)?).ok()?.into(),
            version: i64::from_be_bytes(eight(10)?),
            position: u64::from_be_bytes(eight(18)?),
            name: Bytes::copy_from_slice(name),
            stamp: if stamped == 0 { 0 } else { std::str::from_utf8(stamp).ok()?.parse().ok()? },
        })
    }
}

impl Kind {
    fn letter(self) -> u8 {
        match self {
            Self::Key => b'k',
            Self::Tag => b't',
            Self::Clear => b'c',
            Self::Expire => b'e',
        }
    }

    fn of(letter: u8) -> Option<Self> {
        [Self::Key, Self::Tag, Self::Clear, Self::Expire].into_iter().find(|kind| kind.letter() == letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_trip_and_garbage_is_nothing() {
        let name = Bytes::from_static(b"any \xff bytes");
        let sent = Message {
            sender: 7,
            kind: Kind::Key,
            cache: "things".into(),
            version: -2,
            position: 9,
            name,
            stamp: 0,
        };
        assert_eq!(Message::read(&sent.write()), Some(sent.clone()));
        let tag = Message { kind: Kind::Tag, stamp: 1_700_000_000_000_000, ..sent };
        let text = [tag.write(), b"00001700000000000000".to_vec()].concat();
        assert_eq!(Message::read(&text), Some(tag));
        for length in 0..33 {
            assert_eq!(Message::read(&text[..length]), None, "{length}");
        }
    }
}
