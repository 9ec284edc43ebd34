//! The functions of expressions. None reads a clock, draws a random number, or loops over anything but its arguments.

use std::rc::Rc;

use super::value::{TEXT_BYTES_MAX, Value};

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Len,
    Lower,
    Upper,
    Trim,
    Contains,
    StartsWith,
    EndsWith,
    Min,
    Max,
    Sum,
    Abs,
    Round,
    Floor,
    Ceil,
    Text,
}

/// The name of each function, with the fewest and the most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 15] = [
    ("len", Function::Len, 1, 1),
    ("lower", Function::Lower, 1, 1),
    ("upper", Function::Upper, 1, 1),
    ("trim", Function::Trim, 1, 1),
    ("contains", Function::Contains, 2, 2),
    ("startsWith", Function::StartsWith, 2, 2),
    ("endsWith", Function::EndsWith, 2, 2),
    ("min", Function::Min, 1, 20),
    ("max", Function::Max, 1, 20),
    ("sum", Function::Sum, 1, 20),
    ("abs", Function::Abs, 1, 1),
    ("round", Function::Round, 1, 2),
    ("floor", Function::Floor, 1, 1),
    ("ceil", Function::Ceil, 1, 1),
    ("text", Function::Text, 1, 1),
];

impl Function {
    /// The function of this name for so many arguments, or the fault as a sentence.
    pub(crate) fn named(name: &str, arguments: usize) -> Result<Self, String> {
        let Some((_, function, least, most)) = FUNCTIONS.iter().find(|entry| entry.0 == name) else {
            let names: Vec<&str> = FUNCTIONS.iter().map(|entry| entry.0).collect();
            return Err(format!("there is no function `{name}`; the functions are {}", names.join(", ")));
        };
        if (*least..=*most).contains(&arguments) {
            return Ok(*function);
        }
        let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
        Err(format!("`{name}` takes {expected} arguments, not {arguments}"))
    }

    fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|entry| entry.1 == self).map_or("", |entry| entry.0)
    }

    pub(crate) fn call<'a>(self, arguments: &[Value<'a>]) -> Result<Value<'a>, String> {
        let first = arguments.first().cloned().unwrap_or(Value::Null);
        match self {
            Self::Len => self.len(&first),
            Self::Lower => Ok(Value::Made(Rc::from(bounded(self.text(&first)?.to_lowercase())?))),
            Self::Upper => Ok(Value::Made(Rc::from(bounded(self.text(&first)?.to_uppercase())?))),
            Self::Trim => Ok(Value::Made(Rc::from(self.text(&first)?.trim()))),
            Self::Contains if first.list_len().is_some() => {
                let wanted = arguments.get(1).unwrap_or(&Value::Null);
                contains(&first, wanted).map(Value::Bool)
            }
            Self::Contains | Self::StartsWith | Self::EndsWith => {
                let (text, part) = (self.text(&first)?, self.text(arguments.get(1).unwrap_or(&Value::Null))?);
                Ok(Value::Bool(match self {
                    Self::StartsWith => text.starts_with(part),
                    Self::EndsWith => text.ends_with(part),
                    _ => text.contains(part),
                }))
            }
            Self::Min | Self::Max | Self::Sum => self.fold(arguments),
            Self::Abs => finite(self.number(&first)?.abs()),
            Self::Floor => finite(self.number(&first)?.floor()),
            Self::Ceil => finite(self.number(&first)?.ceil()),
            Self::Round => {
                let digits = arguments.get(1).map_or(Ok(0.0), |digits| self.number(digits))?;
                if !(0.0..=15.0).contains(&digits) || digits.fract() != 0.0 {
                    return Err("`round` keeps 0 to 15 digits".to_owned());
                }
                let scale = 10_f64.powf(digits);
                finite((self.number(&first)? * scale).round() / scale)
            }
            Self::Text => match &first {
                Value::Number(number) => Ok(Value::Made(Rc::from(number.to_string()))),
                Value::Bool(truth) => Ok(Value::Text(if *truth { "true" } else { "false" })),
                Value::Text(_) | Value::Made(_) => Ok(first),
                other => Err(format!("`text` does not write {}", other.kind())),
            },
        }
    }

    fn len<'a>(self, of: &Value<'a>) -> Result<Value<'a>, String> {
        let len = of.list_len().map_or_else(|| self.text(of).map(|text| text.chars().count()), Ok)?;
        // A count of things in memory is far below 2^53.
        Ok(Value::Number(len as f64))
    }

    /// `min`, `max` and `sum` of the arguments, or of the one list that is their argument.
    fn fold<'a>(self, arguments: &[Value<'a>]) -> Result<Value<'a>, String> {
        let list = arguments.first().filter(|list| arguments.len() == 1 && list.list_len().is_some());
        let count = list.and_then(Value::list_len).unwrap_or(arguments.len());
        let item = |index| list.map_or_else(|| arguments.get(index).cloned(), |list| list.item(index));
        let mut found: Option<f64> = None;
        for value in (0..count).filter_map(item) {
            let number = self.number(&value)?;
            found = Some(match (self, found) {
                (_, None) => number,
                (Self::Min, Some(before)) => before.min(number),
                (Self::Max, Some(before)) => before.max(number),
                (_, Some(before)) => before + number,
            });
        }
        match found {
            Some(number) => finite(number),
            None if self == Self::Sum => Ok(Value::Number(0.0)),
            None => Err(format!("`{}` of an empty list", self.name())),
        }
    }

    fn text<'v>(self, value: &'v Value<'_>) -> Result<&'v str, String> {
        value.text().ok_or_else(|| format!("`{}` takes a text, not {}", self.name(), value.kind()))
    }

    fn number(self, value: &Value<'_>) -> Result<f64, String> {
        match value {
            Value::Number(number) => Ok(*number),
            other => Err(format!("`{}` takes numbers, not {}", self.name(), other.kind())),
        }
    }
}

/// Whether a list has an element that equals a scalar.
pub(crate) fn contains(list: &Value<'_>, wanted: &Value<'_>) -> Result<bool, String> {
    if !wanted.is_null() && wanted.scalar_equal(wanted).is_none() {
        return Err(format!("a list cannot be searched for {}", wanted.kind()));
    }
    let items = (0..list.list_len().unwrap_or(0)).filter_map(|index| list.item(index));
    Ok(items.into_iter().any(|item| item.scalar_equal(wanted) == Some(true)))
}

/// A number as a value, unless it has left the range of numbers.
pub(crate) fn finite<'a>(number: f64) -> Result<Value<'a>, String> {
    if number.is_finite() { Ok(Value::Number(number)) } else { Err("the result is too large".to_owned()) }
}

/// A text, unless it is longer than expressions may make.
pub(crate) fn bounded(text: String) -> Result<String, String> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(text);
    }
    Err(format!("the result is a text of more than {TEXT_BYTES_MAX} bytes"))
}
