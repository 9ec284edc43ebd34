//! Compression, only for requests that accept it.

use std::convert::Infallible;
use std::pin::Pin;

use axum::body::Body;
use axum::response::Response;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body::Body as HttpBody;
use tower::Service as _;
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::compression::predicate::Predicate;

/// Put into an answer's extensions to have it compressed though its size is unknown: streams otherwise are not.
#[derive(Clone, Copy, Debug)]
pub struct CompressStream;

/// The router behind compression.
pub(crate) type Compressed = Compression<axum::Router, WorthIt>;

/// Which answers are worth the work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorthIt {
    bytes_min: u64,
}

pub(crate) fn compress(router: axum::Router, bytes_min: u64) -> Compressed {
    // The fastest level: on text it saves nearly as much as the best one, in a fraction of the time.
    Compression::new(router).quality(CompressionLevel::Fastest).compress_when(WorthIt { bytes_min })
}

/// One request through the compressing router. Boxed: the plain way must not carry the size of this one.
pub(crate) fn compressed(
    mut service: Compressed,
    request: Request<Body>,
) -> Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>> {
    Box::pin(async move { service.call(request).await.map(|response| response.map(Body::new)) })
}

/// Whether the caller names an encoding we write.
pub(crate) fn accepts_compression(value: &[u8]) -> bool {
    value.windows(2).any(|word| word.eq_ignore_ascii_case(b"br"))
        || value
            .windows(4)
            .any(|word| word.eq_ignore_ascii_case(b"gzip") || word.eq_ignore_ascii_case(b"zstd"))
}

/// Whether another client could get this answer in another encoding. An answer with an ETag can be confirmed with a 304
/// without a body, whose headers must be those of the full answer. So all answers with an ETag vary, whatever their size.
pub(crate) fn varies(parts: &Parts, body: &Body, bytes_min: u64) -> bool {
    // The answer to a HEAD has no body left, only its length.
    let told = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes: Option<u64> = if body.is_end_stream() { told } else { body.size_hint().exact() };
    let large = bytes.is_some_and(|bytes| bytes >= bytes_min) && may_be_packed(parts.status, &parts.headers);
    let tagged = parts.headers.contains_key(header::ETAG)
        && (parts.status.is_success() || parts.status == StatusCode::NOT_MODIFIED);
    (large || tagged) && !parts.headers.get_all(header::VARY).iter().any(tells_of_encodings)
}

/// Whether a `Vary` says already that the encoding depends on the request.
fn tells_of_encodings(vary: &HeaderValue) -> bool {
    let names = vary.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let mut names = names.filter(|name| *name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"));
    names.next().is_some()
}

impl Predicate for WorthIt {
    fn should_compress<B: HttpBody>(&self, response: &http::Response<B>) -> bool {
        let large = match response.body().size_hint().exact() {
            Some(bytes) => bytes >= self.bytes_min,
            None => response.extensions().get::<CompressStream>().is_some(),
        };
        large && may_be_packed(response.status(), response.headers())
    }
}

/// Media that is not packed already. Not an error the edge explains: it writes that body anew, behind compression.
fn may_be_packed(status: StatusCode, headers: &HeaderMap) -> bool {
    let Some(media) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let media = media.split(';').next().unwrap_or_default().trim();
    if status.as_u16() >= 400 && matches!(media, "application/problem+json" | "text/plain") {
        return false;
    }
    media.starts_with("text/")
        || media.ends_with("+json")
        || media.ends_with("+xml")
        || matches!(
            media,
            "application/json" | "application/x-ndjson" | "application/javascript" | "application/xml"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_named_encoding_counts() {
        for (value, accepts) in [
            ("gzip", true),
            ("GZIP;q=1.0, identity", true),
            ("deflate, br", true),
            ("zstd", true),
            ("identity", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(accepts_compression(value.as_bytes()), accepts, "{value}");
        }
    }

    #[test]
    fn a_vary_of_the_handler_does_not_hide_ours() {
        for (vary, ours) in
            [("origin", true), ("origin, accept", true), ("origin, Accept-Encoding", false), ("*", false)]
        {
            let answer = Response::builder().header(header::ETAG, "\"1\"").header(header::VARY, vary);
            let (parts, body) = answer.body(Body::empty()).unwrap().into_parts();
            assert_eq!(varies(&parts, &body, 10), ours, "{vary}");
        }
    }

    #[test]
    fn small_packed_and_streamed_answers_stay_as_they_are() {
        let worth = WorthIt { bytes_min: 10 };
        let answer = |media: &str, body: Body| {
            Response::builder().header(header::CONTENT_TYPE, media).body(body).unwrap()
        };
        assert!(worth.should_compress(&answer("application/json; charset=utf-8", Body::from("0123456789"))));
        assert!(!worth.should_compress(&answer("application/json", Body::from("012345678"))));
        assert!(!worth.should_compress(&answer("image/png", Body::from("0123456789"))));
        let stream =
            || Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("0123456789")]));
        let mut streamed = answer("text/csv", stream());
        assert!(!worth.should_compress(&streamed));
        streamed.extensions_mut().insert(CompressStream);
        assert!(worth.should_compress(&streamed));
    }
}
