//! The path of an object in the archive: chosen by its writer, unlike the name of every other object.

use std::fmt;

/// The longest path, and how many parts it may have.
const BYTES_MAX: usize = 512;
const PARTS_MAX: usize = 16;
/// The longest part.
const PART_BYTES_MAX: usize = 120;

/// The path of an object in the archive, such as `customers/date=2026-01-01/7-9.pb`: parts of letters, digits, `.`, `_`,
/// `=` and `-` that do not begin with a dot, with a `/` between two parts.
///
/// There is no other way to make one, so that no path leads out of the archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchivePath(Box<str>);

impl ArchivePath {
    /// Reads a path; `None` if it is not valid.
    pub fn parse(text: &str) -> Option<Self> {
        let is_path = text.len() <= BYTES_MAX
            && text.split('/').count() <= PARTS_MAX
            && text.split('/').all(Self::is_part);
        is_path.then(|| Self(text.into()))
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts before the last one, and the last one.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }

    /// Whether this may stand between two slashes.
    pub(crate) fn is_part(text: &str) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._=-".contains(&byte);
        (1..=PART_BYTES_MAX).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(fits)
    }
}

impl fmt::Display for ArchivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_archive() {
        for good in ["a", "a/b", "tenant=acme/customers/date=2026-01-01/1-2-0f.pb.zst", "a..b/c_"] {
            assert_eq!(ArchivePath::parse(good).map(|path| path.to_string()).as_deref(), Some(good));
        }
        let (long, deep) = ("x".repeat(121), ["x"; 17].join("/"));
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/..",
            ".a",
            "a/.b",
            "a\\b",
            "a b",
            "é",
            "a\0",
            "a%2fb",
            "a:b",
            &long,
            &deep,
            &["x".repeat(100).as_str(); 6].join("/"),
        ] {
            assert_eq!(ArchivePath::parse(bad), None, "{bad:?}");
        }
        assert_eq!(ArchivePath::parse("a/b/c").unwrap().split(), ("a/b", "c"));
        assert_eq!(ArchivePath::parse("a").unwrap().split(), ("", "a"));
    }
}
