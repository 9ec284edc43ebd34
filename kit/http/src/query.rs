//! Query strings, read by name; all bad parameters are reported together.

use std::ops::RangeInclusive;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::problem::FieldError;
use crate::{Code, Problem};

/// How many parameters one query string may have.
const PARAMETERS_MAX: usize = 100;

/// The parameters of a request, as an extractor. Unknown parameters are ignored; [`QueryString::finish`] tells the bad ones.
#[derive(Clone, Debug, Default)]
pub struct QueryString {
    parameters: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl QueryString {
    /// Splits and decodes; 400 when an escape, UTF-8 or NUL makes it unreadable.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let mut parameters = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == PARAMETERS_MAX {
                return Err(Problem::malformed(format!("more than {PARAMETERS_MAX} query parameters")));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).map_err(|reason| unreadable(name, reason))?;
            let value = decode(value).map_err(|reason| unreadable(&name, reason))?;
            parameters.push((name, value));
        }
        Ok(Self { parameters, errors: Vec::new() })
    }

    /// The value of a parameter that may stand once.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let mut values = self.parameters.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.clone());
        if values.next().is_some() {
            self.error(name, "repeated", "may be given once");
            return None;
        }
        first
    }

    /// The values of a parameter: separated by commas, or repeated. Empty ones are dropped.
    pub fn list(&mut self, name: &'static str) -> Option<Vec<String>> {
        let mut found = false;
        let mut list = Vec::new();
        for (_, value) in self.parameters.iter().filter(|(key, _)| key == name) {
            found = true;
            list.extend(value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned));
        }
        found.then_some(list)
    }

    /// A whole number inside a range.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(name)?;
        match text.parse::<i64>() {
            Ok(value) if range.contains(&value) => Some(value),
            _ => {
                let message = format!("must be a whole number from {} to {}", range.start(), range.end());
                self.error(name, "not_an_integer_in_range", message);
                None
            }
        }
    }

    /// `true` or `false` (also `1` and `0`; the bare name means true).
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let text = self.text(name)?;
        match text.as_str() {
            "true" | "1" | "" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.error(name, "not_a_boolean", "must be true or false");
                None
            }
        }
    }

    /// One of a few words, and what each stands for.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.error(name, "unknown_value", format!("must be one of {}", known.join(", ")));
        }
        found
    }

    /// Any other type, by its own parser.
    pub fn parsed<T: std::str::FromStr>(&mut self, name: &'static str, what: &str) -> Option<T> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.error(name, "not_readable", format!("must be {what}"));
        }
        parsed
    }

    /// Records that a parameter breaks a rule of the caller's.
    pub fn error(&mut self, name: &'static str, code: &'static str, message: impl Into<String>) {
        let mut error = FieldError::new(name, code, message.into());
        if let Some((_, value)) = self.parameters.iter().find(|(key, _)| key == name) {
            error = error.rejecting(&value.as_str().into());
        }
        self.errors.push(error);
    }

    /// Every bad parameter as one 400, or nothing.
    pub fn finish(self) -> Result<(), Problem> {
        let detail = match self.errors.as_slice() {
            [] => return Ok(()),
            [only] => format!("query parameter {} {}", only.field, only.message),
            many => format!("{} query parameters are bad", many.len()),
        };
        Err(self
            .errors
            .into_iter()
            .fold(Problem::new(Code::Malformed, detail), |problem, error| problem.with_error(error)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryString {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

fn unreadable(name: &str, reason: &str) -> Problem {
    let problem = Problem::malformed(format!("query parameter {name:?} {reason}"));
    problem.with_field(name.to_owned(), "unreadable", reason.to_owned())
}

/// Percent-decodes one name or value; `+` is a space.
fn decode(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex_digit);
                let low = rest.next().and_then(hex_digit);
                high.zip(low).map(|(high, low)| high << 4 | low).ok_or("has a bad percent escape")?
            }
            other => other,
        });
    }
    if bytes.contains(&0) {
        return Err("contains NUL");
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8")
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let mut query =
            QueryString::parse("q=a+b%20c&email=zo%C3%AB%40x.de&flag&empty=&ids=1,2,&ids=3").unwrap();
        assert_eq!(query.text("q").as_deref(), Some("a b c"));
        assert_eq!(query.text("email").as_deref(), Some("zoë@x.de"));
        assert_eq!(query.boolean("flag"), Some(true));
        assert_eq!(query.text("empty").as_deref(), Some(""));
        assert_eq!(query.text("absent"), None);
        assert_eq!(query.list("ids").unwrap(), ["1", "2", "3"]);
        assert_eq!(query.list("none"), None);
        assert!(query.finish().is_ok());
    }

    #[test]
    fn every_bad_parameter_is_told_at_once() {
        let mut query = QueryString::parse("limit=many&sort=up&q=1&q=2&exact=maybe").unwrap();
        assert_eq!(query.integer("limit", 1..=1000), None);
        assert_eq!(query.one_of("sort", &[("newest", 1), ("oldest", 2)]), None);
        assert_eq!(query.text("q"), None);
        assert_eq!(query.boolean("exact"), None);
        let problem = query.finish().unwrap_err();
        assert_eq!(problem.code(), Code::Malformed);
        let fields: Vec<&str> = problem.errors().iter().map(|error| &*error.field).collect();
        assert_eq!(fields, ["limit", "sort", "q", "exact"]);
    }

    #[test]
    fn numbers_stay_in_their_range() {
        for (text, value) in
            [("1", Some(1)), ("10", Some(10)), ("0", None), ("11", None), ("", None), ("1.0", None)]
        {
            let mut query = QueryString::parse(&format!("n={text}")).unwrap();
            assert_eq!(query.integer("n", 1..=10), value, "{text}");
            assert_eq!(query.finish().is_ok(), value.is_some());
        }
    }

    #[test]
    fn unreadable_text_is_refused_by_name() {
        for query in ["q=%", "q=%4", "q=%zz", "q=%ff", "q=%00", "%ff=1"] {
            let problem = QueryString::parse(query).unwrap_err();
            assert_eq!(problem.code(), Code::Malformed, "{query}");
            assert_eq!(problem.errors().len(), 1);
        }
        let flood = "a=1&".repeat(PARAMETERS_MAX + 1);
        assert!(QueryString::parse(&flood).is_err());
    }
}
