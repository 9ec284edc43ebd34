//! Serves images. The name of a file is the hash of its content, so the content under a name never changes.

use std::ops::Range;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pando_http::Problem;
use pando_images::Format;
use pando_objects::ObjectName;
use pando_resilience::Call;
use pando_service::Fault;

use crate::Images;

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Forbids the browser to run anything in the file, whatever it takes the file for.
const HARMLESS: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// The part of the bytes that a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Some(Range<u64>),
    None,
}

impl Images {
    /// The answer to a request for an object; only images are served.
    pub(crate) async fn media(
        &self,
        call: &Call,
        name: &str,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        let missing = || Problem::not_found("image");
        let name = ObjectName::parse(name).filter(|name| name.is_of(call.tenant())).ok_or_else(missing)?;
        let format = Format::of_ending(name.ending()).ok_or_else(missing)?;
        let etag =
            HeaderValue::try_from(format!("\"{}\"", name.hash())).expect("a hash is letters and digits");
        let objects = &self.0.objects;
        let told = |error| Problem::from(Fault::from(error));
        let same = [
            (header::ETAG, etag.clone()),
            (header::CACHE_CONTROL, FOR_EVER),
            (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
            (header::CONTENT_SECURITY_POLICY, HARMLESS),
        ];
        let mut asked = None;
        if headers.contains_key(header::IF_NONE_MATCH) || headers.contains_key(header::RANGE) {
            let found = objects.head(call, &name).await.map_err(told)?.ok_or_else(missing)?;
            if names_tag(headers, &etag) {
                return Ok((StatusCode::NOT_MODIFIED, same).into_response());
            }
            match part(headers, &etag, found.bytes) {
                Part::Whole => {}
                Part::Some(range) => asked = Some(range),
                Part::None => {
                    let all = HeaderValue::try_from(format!("bytes */{}", found.bytes)).expect("digits");
                    let detail = "the range begins after the end of the image";
                    return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, all)], detail)
                        .into_response());
                }
            }
        }
        let object = objects.get(call, &name, asked.clone()).await.map_err(told)?.ok_or_else(missing)?;
        let status = if asked.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let length = object.range.end - object.range.start;
        let mut response = (status, same, Body::from_stream(object.content)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
        headers.insert(header::CONTENT_LENGTH, length.into());
        if asked.is_some() {
            let Range { start, end } = object.range;
            let range = format!("bytes {start}-{}/{}", end.saturating_sub(1), object.bytes);
            headers.insert(header::CONTENT_RANGE, HeaderValue::try_from(range).expect("digits"));
        }
        Ok(response)
    }
}

/// Whether `If-None-Match` names the tag.
fn names_tag(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

/// A single valid range is honoured. Several ranges, or an invalid one, are ignored, which RFC 9110 allows.
fn part(headers: &HeaderMap, etag: &HeaderValue, bytes: u64) -> Part {
    if headers.get(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Part::Whole;
    }
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(only), None) = (ranges.next(), ranges.next()) else { return Part::Whole };
    let range = only.to_str().ok().and_then(|text| text.trim().strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else { return Part::Whole };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // Longer than any number is as good as the largest.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first, last, number(first), number(last)) {
        ("", _, None, Some(0)) => Part::None,
        ("", _, None, Some(_)) if bytes == 0 => Part::None,
        ("", _, None, Some(count)) => Part::Some(bytes.saturating_sub(count)..bytes),
        (_, "", Some(first), None) if first < bytes => Part::Some(first..bytes),
        (_, "", Some(_), None) => Part::None,
        (_, _, Some(first), Some(last)) if last < first => Part::Whole,
        (_, _, Some(first), Some(last)) if first < bytes => {
            Part::Some(first..last.saturating_add(1).min(bytes))
        }
        (_, _, Some(_), Some(_)) => Part::None,
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let etag = HeaderValue::from_static("\"e\"");
        for (text, expected) in [
            ("bytes=0-0", Part::Some(0..1)),
            ("bytes=0-9", Part::Some(0..10)),
            ("bytes=3-5", Part::Some(3..6)),
            ("bytes=7-100", Part::Some(7..10)),
            ("bytes=7-", Part::Some(7..10)),
            ("bytes=-3", Part::Some(7..10)),
            ("bytes=-30", Part::Some(0..10)),
            ("bytes=0-99999999999999999999999", Part::Some(0..10)),
            ("bytes=-0", Part::None),
            ("bytes=10-", Part::None),
            ("bytes=99-100", Part::None),
            ("bytes=5-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, text.parse().unwrap());
            assert_eq!(part(&headers, &etag, 10), expected, "{text}");
            headers.insert(header::IF_RANGE, HeaderValue::from_static("\"other\""));
            assert_eq!(part(&headers, &etag, 10), Part::Whole, "{text} of another image");
        }
    }
}
