//! The form of a value in Redis: a header of fixed width, the tags, and the bytes as they are served.
//!
//! Numbers are padded decimals, so that scripts can compare them exactly as texts and people can read them.

use std::borrow::Cow;

use bytes::Bytes;

/// The format that this program writes and reads. Another format uses other keys, so that an old and a new program may share
/// one Redis.
pub(crate) const FORMAT: &str = "1";

const MAGIC: &[u8] = b"P1";
const NUMBER: usize = 20;
const COST: usize = 10;
const TAGS: usize = 6;
const LENGTH: usize = MAGIC.len() + 4 * NUMBER + COST + 1 + TAGS + 1;

/// A value as Redis holds it. Moments are microseconds of Redis's own clock.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) version: i64,
    pub(crate) position: u64,
    /// When its load began.
    pub(crate) started: i64,
    pub(crate) fresh_until: i64,
    /// How long the load took, in microseconds.
    pub(crate) cost: i64,
    pub(crate) tags: Vec<Box<str>>,
    /// `None`: there is no such thing.
    pub(crate) body: Option<Bytes>,
}

/// A version as a text that sorts as versions do. "There is no such thing" sorts below all.
pub(crate) fn version_text(version: Option<i64>) -> String {
    // Moved into the unsigned numbers, the sign keeps its order.
    number(version.map_or(0, |version| version.cast_unsigned() ^ (1 << 63)))
}

pub(crate) fn number(number: u64) -> String {
    format!("{number:020}")
}

/// The part of a value before the two moments that the script writes.
pub(crate) fn front(version: Option<i64>, position: u64) -> Vec<u8> {
    [MAGIC, version_text(version).as_bytes(), number(position).as_bytes()].concat()
}

/// The part of a value after the two moments.
pub(crate) fn back(cost: i64, tags: &[Box<str>], body: Option<&Bytes>) -> Vec<u8> {
    let tags = tags.iter().map(|tag| escaped(tag)).collect::<Vec<_>>().join("\n");
    let (kind, body) = match body {
        Some(body) => ('v', body.as_ref()),
        None => ('n', [].as_slice()),
    };
    let cost = cost.clamp(0, 9_999_999_999);
    let mut written = format!("{cost:010}{kind}{:06}\n{tags}", tags.len()).into_bytes();
    written.extend_from_slice(body);
    written
}

impl Stored {
    /// Reads what Redis holds; `None` when that is something else. The body is not copied.
    pub(crate) fn read(written: &Bytes) -> Option<Self> {
        if written.len() < LENGTH || !written.starts_with(MAGIC) {
            return None;
        }
        let text = |from: usize, length: usize| std::str::from_utf8(&written[from..from + length]).ok();
        let field = |index: usize| text(MAGIC.len() + index * NUMBER, NUMBER)?.parse::<u64>().ok();
        let after = MAGIC.len() + 4 * NUMBER;
        let tags_end = LENGTH + text(after + COST + 1, TAGS)?.parse::<usize>().ok()?;
        let tags = std::str::from_utf8(written.get(LENGTH..tags_end)?).ok()?;
        let body = written.slice(tags_end..);
        Some(Self {
            version: (field(0)? ^ (1 << 63)).cast_signed(),
            position: field(1)?,
            started: i64::try_from(field(2)?).ok()?,
            fresh_until: i64::try_from(field(3)?).ok()?,
            cost: text(after, COST)?.parse().ok()?,
            tags: tags.split('\n').filter(|tag| !tag.is_empty()).map(unescaped).collect(),
            body: match written[after + COST] {
                b'v' => Some(body),
                b'n' => None,
                _ => return None,
            },
        })
    }
}

/// A tag without line breaks: one of these ends it.
fn escaped(tag: &str) -> Cow<'_, str> {
    if !tag.contains(['\n', '\\']) {
        return Cow::Borrowed(tag);
    }
    Cow::Owned(tag.replace('\\', "\\\\").replace('\n', "\\n"))
}

fn unescaped(written: &str) -> Box<str> {
    let mut tag = String::with_capacity(written.len());
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        tag.push(match character {
            '\\' => {
                if characters.next() == Some('n') {
                    '\n'
                } else {
                    '\\'
                }
            }
            other => other,
        });
    }
    tag.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(version: Option<i64>, tags: &[Box<str>], body: Option<&Bytes>) -> Bytes {
        let moments = [number(1_700_000_000_000_000), number(1_700_000_060_000_000)].concat();
        let parts = [front(version, 77), moments.into_bytes(), back(1_500, tags, body)];
        parts.concat().into()
    }

    #[test]
    fn what_is_written_is_read() {
        let body = Bytes::from(r#"{"name":"Ada"}"#.repeat(50));
        let tags: [Box<str>; 3] = ["list".into(), "tenant:7".into(), "a\nb\\n\\\\".into()];
        let stored = Stored::read(&written(Some(-3), &tags, Some(&body))).unwrap();
        assert_eq!((stored.version, stored.position, stored.cost), (-3, 77, 1_500));
        assert_eq!((stored.started, stored.fresh_until), (1_700_000_000_000_000, 1_700_000_060_000_000));
        assert_eq!((stored.tags.as_slice(), stored.body.as_ref()), (tags.as_slice(), Some(&body)));
        assert_eq!(Stored::read(&written(None, &[], None)).unwrap().body, None);
    }

    #[test]
    fn what_something_else_wrote_is_nothing() {
        let good = written(Some(1), &[], Some(&Bytes::from_static(b"x")));
        for length in 0..LENGTH {
            assert_eq!(Stored::read(&good.slice(..length)), None);
        }
        for place in 0..LENGTH {
            let mut bad = good.to_vec();
            bad[place] = b'?';
            let _ = Stored::read(&bad.into());
        }
    }

    #[test]
    fn versions_sort_as_texts() {
        let texts = [None, Some(i64::MIN + 1), Some(-1), Some(0), Some(9), Some(10), Some(i64::MAX)]
            .map(version_text);
        assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == NUMBER));
    }
}
