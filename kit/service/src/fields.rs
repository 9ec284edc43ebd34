//! Reads fields from a JSON object and reports every bad field, not only the first.

use serde_json::{Map, Value};

use crate::{Fault, FieldError};

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadText {
    /// The error code: `too_long`, or `value`.
    pub code: &'static str,
    /// The message for the client.
    pub message: String,
}

impl BadText {
    /// The text breaks a rule.
    pub fn value(message: &str) -> Self {
        Self { code: "value", message: message.to_owned() }
    }

    /// The text has too many characters.
    pub fn too_long(chars_max: usize) -> Self {
        Self { code: "too_long", message: format!("must have at most {chars_max} characters") }
    }
}

/// Every bad field of one input; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|v| format!("{} {}", v.field, v.message)).collect::<Vec<_>>().join("; "))]
pub struct Violations(Vec<FieldError>);

impl Violations {
    /// A single bad field.
    pub fn one(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self(vec![field_error(field, code, message)])
    }

    /// The bad fields, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &FieldError> {
        self.0.iter()
    }
}

impl From<Violations> for Fault {
    fn from(violations: Violations) -> Self {
        Self::invalid(violations.0)
    }
}

fn field_error(field: &str, code: &'static str, message: impl Into<String>) -> FieldError {
    FieldError::new(field.to_owned(), code, message.into())
}

/// The value at a place such as `items[3].name`, if it is there.
fn value_at<'v>(fields: &'v Map<String, Value>, place: &str) -> Option<&'v Value> {
    let mut parts = place.split(['.', '[']);
    let mut value = fields.get(parts.next()?)?;
    for part in parts {
        value = match part.strip_suffix(']') {
            Some(index) => value.get(index.parse::<usize>().ok()?)?,
            None => value.get(part)?,
        };
    }
    Some(value)
}

/// Reads typed fields and gathers what is wrong with them.
#[derive(Debug)]
pub struct FieldReader<'a> {
    fields: &'a Map<String, Value>,
    violations: Vec<FieldError>,
}

impl<'a> FieldReader<'a> {
    /// A reader of these fields.
    pub fn new(fields: &'a Map<String, Value>) -> Self {
        Self { fields, violations: Vec::new() }
    }

    /// Notes a bad field.
    pub fn refuse(&mut self, field: &str, code: &'static str, message: &str) {
        let error = field_error(field, code, message);
        self.violations.push(match value_at(self.fields, field) {
            Some(value) => error.rejecting(value),
            None => error,
        });
    }

    /// Takes the parsed value, or notes why it was refused.
    pub fn check<T>(&mut self, field: &str, parsed: Result<T, BadText>) -> Option<T> {
        parsed.map_err(|bad| self.refuse(field, bad.code, &bad.message)).ok()
    }

    /// A text that must be there.
    pub fn required_text(&mut self, field: &str) -> Option<&'a str> {
        match self.fields.get(field) {
            Some(Value::String(text)) => return Some(text),
            None | Some(Value::Null) => self.refuse(field, "required", "is required"),
            Some(_) => self.refuse(field, "type", "must be a string"),
        }
        None
    }

    /// A text that may be absent or null: both mean empty.
    pub fn text(&mut self, field: &str, chars_max: usize) -> String {
        match self.fields.get(field) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) if text.chars().count() <= chars_max => text.clone(),
            Some(Value::String(_)) => {
                self.refuse(field, "too_long", &format!("must have at most {chars_max} characters"));
                String::new()
            }
            Some(_) => {
                self.refuse(field, "type", "must be a string");
                String::new()
            }
        }
    }

    /// A truth value that may be absent or null: both mean false.
    pub fn flag(&mut self, field: &str) -> bool {
        match self.fields.get(field) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.refuse(field, "type", "must be true or false");
                false
            }
        }
    }

    /// A list of texts, each of which must pass `check`; absent and null mean empty.
    pub fn texts(&mut self, field: &str, max: usize, check: fn(&str) -> Result<(), String>) -> Vec<String> {
        let items = match self.fields.get(field) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.refuse(field, "type", "must be an array of strings");
                return Vec::new();
            }
        };
        if items.len() > max {
            self.refuse(field, "too_many", &format!("must have at most {max} items"));
            return Vec::new();
        }
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = format!("{field}[{index}]");
            match item {
                Value::String(text) => match check(text) {
                    Ok(()) => texts.push(text.clone()),
                    Err(message) => self.refuse(&at, "value", &message),
                },
                _ => self.refuse(&at, "type", "must be a string"),
            }
        }
        texts
    }

    /// A JSON object; absent and null mean empty.
    pub fn object(&mut self, field: &str) -> Map<String, Value> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(object)) => object.clone(),
            Some(_) => {
                self.refuse(field, "type", "must be an object");
                Map::new()
            }
        }
    }

    /// All that was wrong, if anything was.
    pub fn finish(self) -> Result<(), Violations> {
        if self.violations.is_empty() { Ok(()) } else { Err(Violations(self.violations)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_has_the_value_at_its_place() {
        let fields = json!({"name": 7, "items": [{"quantity": -1}]});
        let mut reader = FieldReader::new(fields.as_object().unwrap());
        for place in ["name", "items[0].quantity", "items[1].quantity", "absent"] {
            reader.refuse(place, "value", "is bad");
        }
        let refused = reader.finish().unwrap_err();
        let values: Vec<Option<Value>> =
            refused.iter().map(|one| one.rejected.as_ref().map(|value| value.shown().clone())).collect();
        assert_eq!(values, [Some(json!(7)), Some(json!(-1)), None, None]);
    }
}
