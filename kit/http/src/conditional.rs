//! Conditional requests on integer versions: the version of a resource is its ETag.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{Code, Problem};

/// How many tags one header may list.
const TAGS_MAX: usize = 64;

/// The ETags that are asked for most, so that nothing is written for them.
const FIRST_TAGS: [&str; 16] = [
    "\"0\"", "\"1\"", "\"2\"", "\"3\"", "\"4\"", "\"5\"", "\"6\"", "\"7\"", "\"8\"", "\"9\"", "\"10\"",
    "\"11\"", "\"12\"", "\"13\"", "\"14\"", "\"15\"",
];

/// The ETag of a version: `"3"`.
pub fn etag(version: i64) -> HeaderValue {
    if let Some(tag) = usize::try_from(version).ok().and_then(|version| FIRST_TAGS.get(version)) {
        return HeaderValue::from_static(tag);
    }
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits and quotes are visible ASCII")
}

/// The version that a caller requires, from `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The header is absent.
    None,
    /// `*`: any version, as long as the resource exists.
    Any,
    /// One of these tags.
    Tags(Vec<Tag>),
}

/// One entity tag as a caller wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The version; none when the tag is not a version of ours, which then matches nothing.
    pub version: Option<i64>,
    /// Written `W/"3"`.
    pub weak: bool,
}

/// The `If-Match` header, as an extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Precondition);

/// The `If-None-Match` header, as an extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfNoneMatch(pub Precondition);

impl Precondition {
    /// Reads `If-Match`; 400 when it cannot be read.
    pub fn if_match(headers: &HeaderMap) -> Result<Self, Problem> {
        Self::read(headers, &header::IF_MATCH)
    }

    /// Reads `If-None-Match`; 400 when it cannot be read.
    pub fn if_none_match(headers: &HeaderMap) -> Result<Self, Problem> {
        Self::read(headers, &header::IF_NONE_MATCH)
    }

    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        let mut any = false;
        for value in headers.get_all(name) {
            let text = value.to_str().ok();
            let read = text.and_then(|text| read_tags(text, &mut tags));
            any |= read.ok_or_else(|| {
                Problem::malformed(format!("{name} must be `*` or a list of quoted tags, such as \"3\""))
            })?;
        }
        match (any, tags.is_empty()) {
            (true, true) => Ok(Self::Any),
            (true, false) => Err(Problem::malformed(format!("{name} mixes `*` with tags"))),
            (false, true) => Ok(Self::None),
            (false, false) => Ok(Self::Tags(tags)),
        }
    }

    /// Whether the caller demands nothing.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// As `If-Match` (strong comparison): fails with 412 unless `current` is a version the caller named.
    pub fn check(&self, current: i64) -> Result<(), Problem> {
        let allowed = match self {
            Self::None | Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| !tag.weak && tag.version == Some(current)),
        };
        if allowed {
            return Ok(());
        }
        let problem = Problem::new(
            Code::VersionMismatch,
            format!("the current version is {current}: read it again first"),
        );
        Err(problem.with_header(header::ETAG, etag(current)))
    }

    /// As `If-Match` where the route insists on it: 428 when absent.
    pub fn require(&self) -> Result<(), Problem> {
        if self.is_none() {
            return Err(Problem::new(Code::VersionRequired, "send If-Match with the version you read"));
        }
        Ok(())
    }

    /// As `If-None-Match` (weak comparison): whether the caller already has `current`, so that 304 answers.
    pub fn is_fresh(&self, current: i64) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag.version == Some(current)),
        }
    }
}

/// Reads a list of tags; `Some(true)` for `*`, none when the text is malformed.
fn read_tags(text: &str, tags: &mut Vec<Tag>) -> Option<bool> {
    let mut rest = text.trim();
    if rest == "*" {
        return Some(true);
    }
    loop {
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if tags.len() == TAGS_MAX || !tag.bytes().all(|byte| byte == 0x21 || (0x23..0x7f).contains(&byte)) {
            return None;
        }
        // "03" and "+3" are other tags than "3": tags are compared as text.
        let version = tag.parse::<i64>().ok().filter(|version| version.to_string() == tag);
        tags.push(Tag { version, weak });
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(false);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Precondition::if_match(&parts.headers).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Precondition::if_none_match(&parts.headers).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_tag_of_a_version_is_its_number() {
        for version in (-1..40).chain([i64::MAX]) {
            assert_eq!(etag(version), format!("\"{version}\""));
        }
    }

    #[test]
    fn a_write_needs_a_strong_tag_of_the_present_version() {
        for (values, allowed) in [
            (&[][..], true),
            (&["*"], true),
            (&["\"3\""], true),
            (&["\"2\", \"3\""], true),
            (&["\"2\"", "\"3\""], true),
            (&["  \"3\"  "], true),
            (&["W/\"3\""], false),
            (&["\"2\""], false),
            (&["\"03\""], false),
            (&["\"abc\""], false),
            (&["\"\""], false),
        ] {
            let precondition = Precondition::if_match(&headers(header::IF_MATCH, values)).unwrap();
            let checked = precondition.check(3);
            assert_eq!(checked.is_ok(), allowed, "{values:?}");
            if let Err(problem) = checked {
                assert_eq!(problem.code(), Code::VersionMismatch);
            }
        }
    }

    #[test]
    fn a_read_is_fresh_by_weak_comparison() {
        for (values, fresh) in [
            (&[][..], false),
            (&["*"], true),
            (&["\"3\""], true),
            (&["W/\"3\""], true),
            (&["\"1\",W/\"3\""], true),
            (&["\"4\""], false),
            (&["\"x\""], false),
        ] {
            let precondition = Precondition::if_none_match(&headers(header::IF_NONE_MATCH, values)).unwrap();
            assert_eq!(precondition.is_fresh(3), fresh, "{values:?}");
        }
    }

    #[test]
    fn malformed_tags_are_told() {
        for value in ["3", "\"3", "3\"", "", ",", "\"3\",", "\"3\" \"4\"", "w/\"3\"", "*, \"3\"", "\"a b\""] {
            let read = Precondition::if_match(&headers(header::IF_MATCH, &[value]));
            assert_eq!(read.unwrap_err().code(), Code::Malformed, "{value:?}");
        }
        let both = headers(header::IF_MATCH, &["*", "\"3\""]);
        assert!(Precondition::if_match(&both).is_err());
    }

    #[test]
    fn a_route_may_insist() {
        assert_eq!(Precondition::None.require().unwrap_err().code(), Code::VersionRequired);
        assert!(Precondition::Any.require().is_ok());
        assert_eq!(etag(3), "\"3\"");
        assert_eq!(etag(-1), "\"-1\"");
    }
}
