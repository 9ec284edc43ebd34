//! The value that a field error is about, as an answer may repeat it: short, and without secrets.

use std::fmt;

use serde_json::Value;

use crate::credential_text::holds_credential;

/// How many characters of a text are repeated.
const CHARS_MAX: usize = 200;
/// Stands for a value that is not repeated.
const MASK: &str = "***";
/// Words in the names of fields whose values are never repeated.
const SECRET: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "token",
    "cvv",
    "cvc",
    "cardnumber",
    "authorization",
    "apikey",
    "cookie",
];

/// A rejected value. It is not printed: it may be something about a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Rejected(Value);

impl Rejected {
    /// The value of a field, or as much of it as may be repeated. Of a list or an object that is the beginning of its JSON.
    pub fn of(field: &str, value: &Value) -> Self {
        let name: String =
            field.chars().filter(|sign| sign.is_alphanumeric()).collect::<String>().to_lowercase();
        if SECRET.iter().any(|word| name.contains(word)) {
            return Self(MASK.into());
        }
        let text = match value {
            Value::Null | Value::Bool(_) => return Self(value.clone()),
            Value::String(text) => text.clone(),
            Value::Number(number) if number.to_string().len() <= 20 => return Self(value.clone()),
            other => other.to_string(),
        };
        // A credential or the number of a card that stands in the wrong place, or somewhere in an object.
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let is_nested = value.is_array() || value.is_object();
        let names_secret = is_nested && SECRET.iter().any(|word| text.to_lowercase().contains(word));
        let is_card =
            digits >= 12 && text.chars().all(|sign| sign.is_ascii_digit() || sign == ' ' || sign == '-');
        if holds_credential(text.as_bytes()) || names_secret || is_card {
            return Self(MASK.into());
        }
        Self(Value::String(text.chars().take(CHARS_MAX).collect()))
    }

    /// As an answer has it.
    pub fn shown(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(field: &str, value: Value) -> Value {
        Rejected::of(field, &value).shown().clone()
    }

    #[test]
    fn values_are_repeated_as_they_are_but_not_whole() {
        for value in [json!(-1), json!(1.5), json!(true), Value::Null, json!("tea"), json!("4111")] {
            assert_eq!(shown("price", value.clone()), value);
        }
        assert_eq!(shown("name", json!("ä".repeat(300))), json!("ä".repeat(200)));
        assert_eq!(shown("tags", json!(["a", 1])), json!("[\"a\",1]"));
    }

    #[test]
    fn secrets_are_masked_by_the_name_of_their_field_and_by_their_look() {
        for field in ["password", "newPassword", "card_number", "cardDetails.cvv", "x-api-key", "accessToken"]
        {
            assert_eq!(shown(field, json!("1234")), json!(MASK), "{field}");
        }
        let key = format!("sk_live_0123456789abcdef_{}", "x".repeat(43));
        for value in
            [json!(key), json!("4111 1111 1111 1111"), json!({"cvv": 123}), json!([{"cardNumber": 1}])]
        {
            assert_eq!(shown("name", value.clone()), json!(MASK), "{value}");
        }
    }
}
