//! Embedded files, with ETags by content.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::Problem;

/// One file compiled into the binary.
#[derive(Clone, Copy, Debug)]
pub struct StaticFile {
    /// How it is asked for: `assets/app-3fa9c2d1.js`.
    pub path: &'static str,
    /// Its media type: `text/javascript; charset=utf-8`.
    pub media_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
    /// Whether the path holds a hash of the content, as bundlers write it. Such a file never changes, and browsers keep it for
    /// ever. A name alone does not show this reliably, so the program that embeds the files says it.
    pub hashed: bool,
}

/// A set of embedded files. Cloning shares it.
#[derive(Clone, Debug)]
pub struct StaticFiles(Arc<BTreeMap<&'static str, Served>>);

#[derive(Debug)]
struct Served {
    media_type: HeaderValue,
    etag: HeaderValue,
    cache: HeaderValue,
    bytes: Bytes,
}

impl StaticFiles {
    /// Prepares the files: their ETags are made once, here.
    pub fn new(files: &[StaticFile]) -> Self {
        let served = files.iter().map(|file| (file.path, Served::new(file)));
        Self(Arc::new(served.collect()))
    }

    /// Whether there is such a file.
    pub fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Answers with the file, with 304 when the caller has it, or with 404.
    pub fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        let Some(file) = self.0.get(path) else { return Problem::not_found("file").into_response() };
        answer_bytes(headers, &file.bytes, &file.media_type, &file.etag, &file.cache)
    }
}

impl Served {
    fn new(file: &StaticFile) -> Self {
        let cache = if file.hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        Self {
            media_type: HeaderValue::from_static(file.media_type),
            etag: content_etag(file.bytes),
            cache: HeaderValue::from_static(cache),
            bytes: Bytes::from_static(file.bytes),
        }
    }
}

/// Bytes with an ETag: 304 when the caller names it.
pub(crate) fn answer_bytes(
    headers: &HeaderMap,
    bytes: &Bytes,
    media_type: &HeaderValue,
    etag: &HeaderValue,
    cache: &HeaderValue,
) -> Response {
    let same = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, cache.clone())];
    if has_tag(headers, etag) {
        return (StatusCode::NOT_MODIFIED, same).into_response();
    }
    let mut response = (same, Body::from(bytes.clone())).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, media_type.clone());
    response
}

/// Whether `If-None-Match` names the tag (weak comparison).
fn has_tag(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

/// A tag made of the content: the same on every replica that runs the same binary.
pub(crate) fn content_etag(bytes: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).expect("hexadecimal is visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [StaticFile; 2] = [
        StaticFile {
            path: "index.html",
            media_type: "text/html; charset=utf-8",
            bytes: b"<p>hello",
            hashed: false,
        },
        StaticFile {
            path: "assets/app-3fa9c2d1.js",
            media_type: "text/javascript",
            bytes: b"1",
            hashed: true,
        },
    ];

    #[test]
    fn a_file_is_sent_once_and_then_only_confirmed() {
        let files = StaticFiles::new(&FILES);
        let first = files.answer("index.html", &HeaderMap::new());
        assert_eq!(first.status(), 200);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
        let etag = first.headers()[header::ETAG].clone();
        let weak = format!("\"other\", W/{}", etag.to_str().unwrap());
        for tag in [etag.to_str().unwrap(), &weak, "*"] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, tag.parse().unwrap());
            assert_eq!(files.answer("index.html", &headers).status(), 304, "{tag}");
        }
        let hashed = files.answer("assets/app-3fa9c2d1.js", &HeaderMap::new());
        assert_eq!(hashed.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(files.answer("../index.html", &HeaderMap::new()).status(), 404);
    }
}
