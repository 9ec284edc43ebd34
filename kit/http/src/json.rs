//! JSON bodies, read strictly: input that two readers could understand differently is refused.

use std::cell::Cell;
use std::fmt;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::body::read_body;
use crate::caller::RequestContext;
use crate::{Code, JSON_NODES_MAX, Problem};

/// How deep arrays and objects may nest.
pub const JSON_DEPTH_MAX: usize = 64;

/// A text up to this size is parsed where it was read; a longer one would keep its thread from other requests.
const PARSED_HERE_MAX: usize = 64 * 1024;

/// A request body that is one JSON object.
///
/// Refused: another content type (415), no body, trailing bytes, duplicate keys, NUL, invalid UTF-8, nesting past
/// [`JSON_DEPTH_MAX`], numbers out of range, anything but an object (400, naming what and where).
#[derive(Clone, Debug, PartialEq)]
pub struct JsonBody(pub Map<String, Value>);

/// A request body that is one JSON value of any kind, with the bytes it was written in. Refuses what [`JsonBody`] does,
/// but for the kind.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonDocument {
    /// The value.
    pub value: Value,
    /// The text as it came.
    pub bytes: Bytes,
}

/// An answer in JSON. (axum's own type is also a lenient extractor, which has no place here.)
#[derive(Clone, Copy, Debug)]
pub struct JsonAnswer<T>(pub T);

impl<T: Serialize> IntoResponse for JsonAnswer<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let mut response = Response::new(Body::from(bytes));
                let media = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, media);
                response
            }
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        JsonDocument::from_request(request, state).await?.into_object().map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonDocument {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        expect_json(request.headers())?;
        let share = request.extensions().get::<RequestContext>().and_then(|context| context.share.clone());
        let bytes = read_body(request).await?;
        let nodes_max = share.as_ref().map_or(JSON_NODES_MAX, |share| share.budget.json_nodes_max);
        if bytes.len() <= PARSED_HERE_MAX {
            return Ok(Self { value: parse_bounded(&bytes, nodes_max)?, bytes });
        }
        let _turn = match &share {
            Some(share) => share.budget.parsing.acquire().await.ok(),
            None => None,
        };
        let text = bytes.clone();
        let parsed = tokio::task::spawn_blocking(move || parse_bounded(&text, nodes_max)).await;
        Ok(Self { value: parsed.map_err(Problem::internal)??, bytes })
    }
}

impl JsonDocument {
    /// The object it is; 400 when it is something else.
    pub fn into_object(self) -> Result<Map<String, Value>, Problem> {
        match self.value {
            Value::Object(object) => Ok(object),
            other => {
                Err(Problem::malformed(format!("the body must be a JSON object, not {}", kind_of(&other))))
            }
        }
    }
}

/// Whether the content type is JSON. A missing one passes from programs, and the parser decides; not from a page of another
/// site: a browser sends such a body without asking this server first.
pub fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    match media_type(headers)? {
        None if is_of_another_site(headers) => {
            Err(Problem::new(Code::UnsupportedMedia, "expected the Content-Type application/json, got none"))
        }
        None => Ok(()),
        Some(media) if media == "application/json" => Ok(()),
        Some(media) if media.starts_with("application/") && media.ends_with("+json") => Ok(()),
        Some(media) => {
            Err(Problem::new(Code::UnsupportedMedia, format!("expected application/json, got {media:?}")))
        }
    }
}

/// Whether a browser sends this for a page of another site.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let own = headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
    let origin = origin.as_bytes();
    let host = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    host != Some(own)
}

/// The media type of the body without parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (first, second) = (values.next(), values.next());
    let Some(first) = first else { return Ok(None) };
    let text = first.to_str().ok().filter(|_| second.is_none());
    let Some(text) = text else {
        return Err(Problem::new(Code::UnsupportedMedia, "the Content-Type header cannot be read"));
    };
    let media = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(if media.is_empty() { None } else { Some(media) })
}

/// Parses one JSON value strictly (see [`JsonBody`]); the whole input must be used. For texts that were bounded before.
pub fn parse_json(bytes: &[u8]) -> Result<Value, Problem> {
    parse_bounded(bytes, JSON_NODES_MAX)
}

fn parse_bounded(bytes: &[u8], nodes_max: usize) -> Result<Value, Problem> {
    if bytes.is_empty() {
        return Err(Problem::malformed("the body is empty, expected JSON"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::malformed(format!("the body is not UTF-8: bad byte at offset {}", error.valid_up_to()))
    })?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let left = Cell::new(nodes_max.saturating_add(1));
    let value =
        Strict { depth: 0, left: &left }.deserialize(&mut reader).map_err(|error| match left.get() {
            0 => Problem::new(Code::TooLarge, format!("the body holds more than {nodes_max} values")),
            _ => not_json(&error),
        })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::malformed(format!("the body is not valid JSON: {error}"))
}

/// The kind of a value, in words for messages.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Builds a value and refuses what `serde_json::Value` would let pass.
#[derive(Clone, Copy)]
struct Strict<'l> {
    depth: usize,
    /// How many values may still come.
    left: &'l Cell<usize>,
}

impl Strict<'_> {
    /// Counts a value before it is built.
    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        match self.left.get() {
            0 | 1 => {
                self.left.set(0);
                Err(E::custom("too many values"))
            }
            left => {
                self.left.set(left - 1);
                Ok(())
            }
        }
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {JSON_DEPTH_MAX}")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        // Adding zero turns -0.0 into 0.0: one value, one text.
        Number::from_f64(value + 0.0).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        without_nul(&value)?;
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            without_nul(&key)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate key {key:?}")));
            }
            object.insert(key, entries.next_value_seed(inside)?);
        }
        Ok(Value::Object(object))
    }
}

/// No engine stores NUL in a text.
fn without_nul<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') {
        return Err(E::custom("NUL in a string"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_read_is_what_was_written() {
        for (text, value) in [
            ("{}", json!({})),
            (
                r#" {"a":[1,-2,1.5,true,null,"\u00e9 \ud83d\ude00"]} "#,
                json!({"a": [1, -2, 1.5, true, null, "é 😀"]}),
            ),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("-0.0", json!(0.0)),
            ("\"O'Brien\"", json!("O'Brien")),
        ] {
            assert_eq!(parse_json(text.as_bytes()).unwrap(), value, "{text}");
        }
        assert_eq!(parse_json(b"-0.0").unwrap().to_string(), "0.0");
    }

    #[test]
    fn what_could_be_misread_is_refused_and_named() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let deeper = format!("{}{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        let cases: [(&[u8], &str); 16] = [
            (b"", "empty"),
            (b"   ", "EOF"),
            (b"{", "EOF"),
            (br#"{"a":1,"a":2}"#, r#"duplicate key "a" at line 1 column 10"#),
            (br#"{"a":{"b":1,"\u0062":2}}"#, r#"duplicate key "b""#),
            (br#"{"a":"x\u0000y"}"#, "NUL"),
            (br#"{"a\u0000":1}"#, "NUL"),
            (b"{} {}", "trailing"),
            (b"{}x", "trailing"),
            (b"[1e999]", "out of range"),
            (b"[NaN]", "expected value"),
            (b"[1,]", "trailing comma"),
            (b"{\"a\":\"\xff\"}", "not UTF-8"),
            (br#"["\ud800"]"#, "escape"),
            (deep.as_bytes(), "nested deeper than 64"),
            (deeper.as_bytes(), "nested deeper than 64"),
        ];
        for (bytes, reason) in cases {
            let problem = parse_json(bytes).unwrap_err();
            assert_eq!(problem.code(), Code::Malformed);
            assert!(problem.detail().contains(reason), "{:?} should say {reason}", problem.detail());
        }
        let many = format!("[{}0]", "{},".repeat(JSON_NODES_MAX));
        let problem = parse_json(many.as_bytes()).unwrap_err();
        assert_eq!(
            (problem.code(), problem.detail()),
            (Code::TooLarge, "the body holds more than 100000 values")
        );
        let at_the_limit = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(parse_json(at_the_limit.as_bytes()).is_ok());
    }

    #[test]
    fn only_json_media_types_pass() {
        for (media, passes) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/vnd.pando+json", true),
            ("", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("application/jsonx", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, media.parse().unwrap());
            assert_eq!(expect_json(&headers).is_ok(), passes, "{media}");
        }
        assert!(expect_json(&HeaderMap::new()).is_ok());
        for (name, value, passes) in [
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "same-origin", true),
            ("origin", "https://evil.example", false),
            ("origin", "null", false),
            ("origin", "http://api.example:8080", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("api.example:8080"));
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(expect_json(&headers).is_ok(), passes, "{name}: {value}");
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            assert!(expect_json(&headers).is_ok(), "with its type it was asked about before");
        }
    }
}
