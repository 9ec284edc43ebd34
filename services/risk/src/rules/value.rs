//! Values of expressions: borrowed from the request or from the ruleset wherever that is possible.

use std::rc::Rc;

use serde_json::Value as Json;

/// Longest text that an expression may make, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 10_000;

/// A value while an evaluation lasts. Numbers are `f64` and always finite.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// Nothing: a field that the request lacks, or an output that stays unwritten.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text of the request or of the ruleset.
    Text(&'a str),
    /// A text that an expression made.
    Made(Rc<str>),
    /// A list or an object of the request or of the ruleset.
    Json(&'a Json),
    /// A list that an expression or a table made.
    List(Rc<Vec<Value<'a>>>),
}

impl<'a> Value<'a> {
    pub(crate) fn of(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => number.as_f64().map_or(Self::Null, Self::Number),
            Json::String(text) => Self::Text(text),
            Json::Array(_) | Json::Object(_) => Self::Json(json),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Made(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The name of the type, as error messages say it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) | Self::Made(_) => "a text",
            Self::Json(Json::Object(_)) => "an object",
            Self::Json(_) | Self::List(_) => "a list",
        }
    }

    /// The steps that a comparison with the value costs besides its own: long texts of requests take long.
    pub(crate) fn steps(&self) -> usize {
        self.text().map_or(0, |text| text.len() / 64)
    }

    /// The number of elements, if this is a list.
    pub(crate) fn list_len(&self) -> Option<usize> {
        match self {
            Self::Json(Json::Array(items)) => Some(items.len()),
            Self::List(items) => Some(items.len()),
            _ => None,
        }
    }

    /// One element of a list.
    pub(crate) fn item(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(Json::Array(items)) => items.get(index).map(Value::of),
            Self::List(items) => items.get(index).cloned(),
            _ => None,
        }
    }

    /// The value as an element of a list. Lists hold scalars only, so that none grows deeper with each node.
    pub(crate) fn into_item(self) -> Result<Self, String> {
        match self {
            Self::Json(_) | Self::List(_) => Err(format!("a list holds scalars, not {}", self.kind())),
            scalar => Ok(scalar),
        }
    }

    /// Equality of scalars: values of different types are different. `None` if one side is a list or an object.
    pub(crate) fn scalar_equal(&self, other: &Value<'_>) -> Option<bool> {
        Some(match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(left), Value::Bool(right)) => left == right,
            (Self::Number(left), Value::Number(right)) => left == right,
            (Self::Json(_) | Self::List(_), right) if !right.is_null() => return None,
            (left, Value::Json(_) | Value::List(_)) if !left.is_null() => return None,
            (left, right) => match (left.text(), right.text()) {
                (Some(left), Some(right)) => left == right,
                _ => false,
            },
        })
    }

    /// A copy as JSON, cut to what a trace may hold.
    pub(crate) fn excerpt(&self) -> Json {
        const TEXT_CHARS: usize = 200;
        const ITEMS: usize = 20;
        match self {
            Self::Null => Json::Null,
            Self::Bool(truth) => Json::from(*truth),
            Self::Number(number) => Json::from(*number),
            Self::Text(_) | Self::Made(_) => {
                let text = self.text().unwrap_or_default();
                match text.char_indices().nth(TEXT_CHARS) {
                    Some((end, _)) => Json::from(format!("{}…", &text[..end])),
                    None => Json::from(text),
                }
            }
            Self::Json(Json::Object(fields)) => Json::from(format!("an object of {} fields", fields.len())),
            list => {
                let len = list.list_len().unwrap_or_default();
                let mut items: Vec<Json> = (0..len.min(ITEMS))
                    .filter_map(|index| list.item(index))
                    .map(|item| match item.list_len() {
                        Some(len) => Json::from(format!("a list of {len} items")),
                        None => item.excerpt(),
                    })
                    .collect();
                if len > ITEMS {
                    items.push(Json::from(format!("… and {} more", len - ITEMS)));
                }
                Json::from(items)
            }
        }
    }
}
