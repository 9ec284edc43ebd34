//! The values that can be parameters of statements.

use pando_clock::Timestamp;
use pando_resilience::Tenant;
use serde::Serialize;
use uuid::Uuid;

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value; fits every type.
    Null,
    /// `boolean`
    Bool(bool),
    /// `smallint`, `integer`, `bigint`
    Int(i64),
    /// `real`, `double precision`
    Real(f64),
    /// `text`, `varchar`
    Text(String),
    /// `bytea`
    Bytes(Vec<u8>),
    /// `uuid`
    Uuid(Uuid),
    /// `timestamptz`
    Timestamp(Timestamp),
    /// `jsonb`, `json`: the text of a JSON value, see [`Value::json`].
    Json(String),
    /// For `= any($1)`.
    UuidArray(Vec<Uuid>),
    /// For `= any($1)`.
    TextArray(Vec<String>),
    /// For `= any($1)`.
    IntArray(Vec<i64>),
    /// A list of any type, for PostgreSQL.
    List(ColumnType, Vec<Value>),
}

/// The type of a column as the table declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `smallint`
    Smallint,
    /// `integer`
    Integer,
    /// `bigint`
    Bigint,
    /// `double precision`
    Double,
    /// `text`
    Text,
    /// `bytea`
    Bytes,
    /// `uuid`
    Uuid,
    /// `timestamptz`
    Timestamp,
    /// `jsonb`
    Json,
}

impl ColumnType {
    /// Its name in a statement.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Smallint => "smallint",
            Self::Integer => "integer",
            Self::Bigint => "bigint",
            Self::Double => "double precision",
            Self::Text => "text",
            Self::Bytes => "bytea",
            Self::Uuid => "uuid",
            Self::Timestamp => "timestamptz",
            Self::Json => "jsonb",
        }
    }
}

impl Value {
    /// A value for a JSON column, written straight from a type of the program.
    pub fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::Json)
    }

    /// The size of the value in memory, roughly, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::UuidArray(ids) => size_of::<Uuid>() * ids.len(),
            Self::TextArray(texts) => texts.iter().map(|text| size_of::<String>() + text.len()).sum(),
            Self::IntArray(numbers) => size_of::<i64>() * numbers.len(),
            Self::List(_, values) => values.iter().map(Self::size).sum(),
            _ => size_of::<Self>(),
        }
    }

    /// The kind of the value, for messages; never its content.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Real(_) => "a real number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Uuid(_) => "a uuid",
            Self::Timestamp(_) => "a timestamp",
            Self::Json(_) => "json",
            Self::UuidArray(_) => "a list of uuids",
            Self::TextArray(_) => "a list of texts",
            Self::IntArray(_) => "a list of integers",
            Self::List(..) => "a list",
        }
    }

    /// The reason for refusing this value, if there is one. A value that one engine would refuse, change or cut is refused on
    /// both.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let nul = |text: &str| text.as_bytes().contains(&0);
        match self {
            Self::Text(text) if nul(text) => Some("text with a NUL character cannot be stored"),
            Self::TextArray(texts) if texts.iter().any(|text| nul(text)) => {
                Some("text with a NUL character cannot be stored")
            }
            Self::Json(json) if json_has_nul(json) => Some("json with a NUL character cannot be stored"),
            Self::Real(number) if number.is_nan() => Some("not a number cannot be stored"),
            Self::List(_, values) => values.iter().find_map(Self::fault),
            _ => None,
        }
    }
}

/// Whether a text of the JSON contains NUL, which is written as `\u0000`. After an odd number of other backslashes the last
/// of them is part of the text, and so is what follows it.
fn json_has_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        before % 2 == 0
    })
}

macro_rules! value_from {
    ($($type:ty => $make:expr),+ $(,)?) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                ($make)(value)
            }
        })+
    };
}

value_from! {
    bool => Value::Bool,
    i64 => Value::Int,
    i32 => |value| Value::Int(i64::from(value)),
    u32 => |value| Value::Int(i64::from(value)),
    i16 => |value| Value::Int(i64::from(value)),
    f64 => Value::Real,
    String => Value::Text,
    &str => |value: &str| Value::Text(value.to_owned()),
    &String => |value: &String| Value::Text(value.clone()),
    Vec<u8> => Value::Bytes,
    &[u8] => |value: &[u8]| Value::Bytes(value.to_vec()),
    Uuid => Value::Uuid,
    Timestamp => Value::Timestamp,
    &Tenant => |tenant: &Tenant| Value::Text(tenant.as_str().to_owned()),
    serde_json::Value => |value: serde_json::Value| Value::Json(value.to_string()),
    Vec<Uuid> => Value::UuidArray,
    Vec<String> => Value::TextArray,
    Vec<i64> => Value::IntArray,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters of a statement, in the order of `$1`, `$2`, …
///
/// ```
/// let parameters = pando_database::params![7_i64, "seven", None::<bool>];
/// assert_eq!(parameters.len(), 3);
/// ```
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {{
        let parameters: [$crate::Value; _] = [$($crate::Value::from($value)),*];
        parameters
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_engine_cannot_keep_is_refused_on_both() {
        for (value, faulty) in [
            (Value::from("fine"), false),
            (Value::from("a\0b"), true),
            (Value::from(vec!["a".to_owned(), "\0".to_owned()]), true),
            (Value::from(serde_json::json!({"a": ["b", {"c\0": 1}]})), true),
            (Value::from(serde_json::json!({"a": ["b", {"c": "\u{1}"}]})), false),
            (Value::from(serde_json::json!({"a": "a backslash, then \\u0000"})), false),
            (Value::from(serde_json::json!({"a": "a backslash, then NUL: \\\0"})), true),
            (Value::from(f64::NAN), true),
            (Value::from(f64::INFINITY), false),
            (Value::from(vec![0_u8]), false),
        ] {
            assert_eq!(value.fault().is_some(), faulty, "{value:?}");
        }
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(Value::from(None::<i64>), Value::Null);
        assert_eq!(Value::from(Some("x")), Value::Text("x".into()));
    }
}
