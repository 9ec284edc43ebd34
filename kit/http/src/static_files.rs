//! Embedded files, with ETags by content, and compressed where the program that embeds them did so.

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
    /// The content in other encodings, by the name of each (`br`, `gzip`), the best one first. Without one, an answer is compressed
    /// when it is sent.
    pub encoded: &'static [(&'static str, &'static [u8])],
}

/// A set of embedded files. Cloning shares it.
#[derive(Clone, Debug)]
pub struct StaticFiles(Arc<BTreeMap<&'static str, Served>>);

#[derive(Debug)]
struct Served {
    media_type: HeaderValue,
    cache: HeaderValue,
    /// The content in each encoding; the last one is not encoded.
    forms: Vec<Form>,
}

/// The content in one encoding.
#[derive(Debug)]
struct Form {
    encoding: Option<&'static str>,
    etag: HeaderValue,
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
        let taken = file.forms.iter().find(|form| form.encoding.is_none_or(|name| takes(headers, name)));
        let Some(form) = taken else { return Problem::not_found("file").into_response() };
        let mut response = answer_bytes(headers, &form.bytes, &file.media_type, &form.etag, &file.cache);
        if let Some(encoding) = form.encoding {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

impl Served {
    fn new(file: &StaticFile) -> Self {
        let cache = if file.hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        let encoded = file.encoded.iter().map(|(name, bytes)| (Some(*name), *bytes));
        let form = |(encoding, bytes)| Form {
            encoding,
            etag: content_etag(bytes),
            bytes: Bytes::from_static(bytes),
        };
        Self {
            media_type: HeaderValue::from_static(file.media_type),
            cache: HeaderValue::from_static(cache),
            forms: encoded.chain([(None, file.bytes)]).map(form).collect(),
        }
    }
}

/// Whether the caller takes the encoding: it names it, and not with the weight 0.
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|word| {
        let (name, weight) = word.split_once(';').unwrap_or((word, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(encoding) && weight.is_none_or(|weight| weight > 0.0)
    })
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
            encoded: &[],
        },
        StaticFile {
            path: "assets/app-3fa9c2d1.js",
            media_type: "text/javascript",
            bytes: b"1",
            hashed: true,
            encoded: &[("br", b"in brotli"), ("gzip", b"in gzip")],
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

    #[test]
    fn a_caller_gets_the_best_encoding_that_it_takes_with_an_etag_of_its_own() {
        let files = StaticFiles::new(&FILES);
        let mut etags = std::collections::BTreeSet::new();
        for (accepted, encoding) in [
            ("gzip, deflate, br", Some("br")),
            ("br;q=0, GZIP;q=0.5", Some("gzip")),
            ("brotli", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
            let answer = files.answer("assets/app-3fa9c2d1.js", &headers);
            let found = answer.headers().get(header::CONTENT_ENCODING).map(|it| it.to_str().unwrap());
            assert_eq!(found, encoding, "{accepted}");
            etags.insert(answer.headers()[header::ETAG].clone());
            let plain = files.answer("index.html", &headers);
            assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        }
        assert_eq!(etags.len(), 3);
    }
}
