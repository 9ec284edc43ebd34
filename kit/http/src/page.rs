//! Pages of long lists: a limit, an opaque cursor and a `Link` to the next page.

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderValue, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Problem, QueryString};

/// How many items a page holds when the caller does not say.
pub const PAGE_LIMIT_DEFAULT: usize = 100;
/// The most a caller may ask for.
pub const PAGE_LIMIT_MAX: usize = 1000;
/// A cursor longer than this was not made by us. The longest that is: a sort key of 255 characters, each 4 bytes or
/// an escape of 6 in JSON, with an id beside it, all a third longer in base64. It fills half of `uri_bytes_max`.
const CURSOR_BYTES_MAX: usize = 4 * 1024;

/// Which page is asked for, from `limit` and `cursor`; also an extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many items, 1 to [`PAGE_LIMIT_MAX`].
    pub limit: usize,
    /// Where to go on: what [`next_link`] was given, still encoded.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// Reads `limit` and `cursor`; bad values are recorded in `query`.
    pub fn read(query: &mut QueryString) -> Self {
        let max = i64::try_from(PAGE_LIMIT_MAX).unwrap_or(i64::MAX);
        let limit = query.integer("limit", 1..=max).and_then(|limit| usize::try_from(limit).ok());
        let cursor = query.text("cursor").filter(|cursor| !cursor.is_empty());
        Self { limit: limit.unwrap_or(PAGE_LIMIT_DEFAULT), cursor }
    }

    /// The position the cursor stands for; 400 when it is not one of ours.
    pub fn position<T: DeserializeOwned>(&self) -> Result<Option<T>, Problem> {
        self.cursor.as_deref().map(decode_cursor).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PageRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let mut query = QueryString::from_request_parts(parts, state).await?;
        let page = Self::read(&mut query);
        query.finish()?;
        Ok(page)
    }
}

/// Writes a position (the sort key of the last item) as an opaque cursor.
pub fn encode_cursor<T: Serialize>(position: &T) -> Result<String, Problem> {
    let json = serde_json::to_vec(position).map_err(Problem::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// Reads a cursor back; 400 when it is not one of ours.
pub fn decode_cursor<T: DeserializeOwned>(cursor: &str) -> Result<T, Problem> {
    let bytes = if cursor.len() > CURSOR_BYTES_MAX { None } else { URL_SAFE_NO_PAD.decode(cursor).ok() };
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
        let message = "is not a cursor of this list: take it from a Link header";
        Problem::malformed(format!("query parameter cursor {message}")).with_field(
            "cursor",
            "unreadable",
            message,
        )
    })
}

/// The `Link` header that names the page at `cursor`; every other parameter of the request is kept.
pub fn next_link(uri: &Uri, cursor: &str) -> HeaderValue {
    next_link_by(uri, "cursor", cursor)
}

/// The same for a list whose pages are named by another parameter than `cursor`. The value is a number or base64url.
pub fn next_link_by(uri: &Uri, parameter: &str, value: &str) -> HeaderValue {
    let mut target = String::with_capacity(uri.path().len() + parameter.len() + value.len() + 32);
    target.push('<');
    target.push_str(uri.path());
    let kept = uri.query().unwrap_or_default().split('&');
    let mut mark = '?';
    for pair in kept.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(parameter)) {
        target.push(mark);
        // A raw `>` would end the reference early.
        target.push_str(&pair.replace('<', "%3C").replace('>', "%3E"));
        mark = '&';
    }
    target.push(mark);
    target.push_str(parameter);
    target.push('=');
    target.push_str(value);
    target.push_str(">; rel=\"next\"");
    HeaderValue::try_from(target).expect("a URI and base64url are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let position = (1_767_225_600_000_000_i64, "0193-abc".to_owned());
        let cursor = encode_cursor(&position).unwrap();
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(decode_cursor::<(i64, String)>(&cursor).unwrap(), position);
    }

    #[test]
    fn the_longest_sort_key_fits_and_leaves_room_for_a_search() {
        for character in ["\u{1d11e}", "\u{1}"] {
            let position = ("-created_at", character.repeat(255), "0193ab5e-7c3d-7a4b-9f00-0123456789ab");
            let cursor = encode_cursor(&position).unwrap();
            let read: (String, String, String) = decode_cursor(&cursor).unwrap();
            assert_eq!(read.1, position.1);
        }
        // 200 characters of 4 bytes, each byte escaped.
        let search = 200 * 4 * "%F0".len();
        assert!(CURSOR_BYTES_MAX + search < crate::HttpOptions::default().uri_bytes_max);
    }

    #[test]
    fn garbage_is_not_a_cursor() {
        let other_type = encode_cursor(&"text").unwrap();
        for cursor in ["x", "!!!!", "bm90IGpzb24", other_type.as_str(), &"A".repeat(5_000)] {
            assert_eq!(
                decode_cursor::<(i64, String)>(cursor).unwrap_err().code(),
                Code::Malformed,
                "{cursor}"
            );
        }
    }

    #[test]
    fn limits_have_a_default_and_an_end() {
        for (query, limit) in [("", Some(100)), ("limit=1", Some(1)), ("limit=1000", Some(1000))] {
            let mut query = QueryString::parse(query).unwrap();
            assert_eq!(Some(PageRequest::read(&mut query).limit), limit);
            assert!(query.finish().is_ok());
        }
        for query in ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=1&limit=2"] {
            let mut query = QueryString::parse(query).unwrap();
            PageRequest::read(&mut query);
            assert!(query.finish().is_err());
        }
    }

    #[test]
    fn the_next_link_keeps_the_other_parameters() {
        for (uri, link) in [
            ("/p", "</p?cursor=c>; rel=\"next\""),
            ("/p?limit=2", "</p?limit=2&cursor=c>; rel=\"next\""),
            ("/p?cursor=old&q=a%20b&limit=2", "</p?q=a%20b&limit=2&cursor=c>; rel=\"next\""),
            ("http://host/p?cursor=old", "</p?cursor=c>; rel=\"next\""),
        ] {
            assert_eq!(next_link(&uri.parse().unwrap(), "c"), link);
        }
        let uri = "/p?before_version=9&limit=2".parse().unwrap();
        assert_eq!(next_link_by(&uri, "before_version", "7"), "</p?limit=2&before_version=7>; rel=\"next\"");
    }
}
